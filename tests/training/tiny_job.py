"""A training job of seconds, run in a process of its own: training makes TensorFlow deterministic for good.

python tiny_job.py FOLDER START KILL_AT NAME...; a NAME that begins with "student" learns from START, one that begins
with "averaged" is the moving average of its weights, and one that ends with "-after-N" stops after N steps.
"""

import dataclasses
import gc
import os
import signal
import sys
from pathlib import Path

from nqperf.nq.features import FeatureConfig
from nqperf.training.distillation import Lesson
from nqperf.training.recipe import TrainingJob, train
from nqperf.training.sources import Source
from nqperf.training.student import StudentShape
from nqperf.training.train import Progress, TrainingConfig

STEPS = 50
EMA_MOMENTUM = 0.5


def job(folder: Path, start: Path, name: str) -> TrainingJob:
    return TrainingJob(
        sources=(
            Source(kind="nq", path=str(folder / "nq.jsonl"), share=0.5),
            Source(kind="squad", path=str(folder / "squad.jsonl"), share=0.2),
            Source(kind="qed", path=str(folder / "qed.jsonl"), share=0.1),
            Source(kind="world", examples=20, share=0.2),
        ),
        start=start,
        out=folder / name,
        work=folder / f"{name}-work",
        features=FeatureConfig(max_seq_length=96, doc_stride=32, max_query_length=24),
        training=TrainingConfig(steps=STEPS, learning_rate=3e-3, warmup_steps=5, seed=3, checkpoint_every=20),
        batch_size=8,
        validation=2,
        validate_every=20,
    )


def student_job(folder: Path, teacher: Path, name: str) -> TrainingJob:
    lesson = Lesson(teacher=teacher, shape=StudentShape(layers=1, hidden=16))
    return dataclasses.replace(job(folder, teacher, name), start=None, lesson=lesson)


def averaged_job(folder: Path, start: Path, name: str) -> TrainingJob:
    plain = job(folder, start, name)
    training = dataclasses.replace(plain.training, ema_momentum=EMA_MOMENTUM)
    return dataclasses.replace(plain, training=training)


def shortened(whole: TrainingJob, name: str) -> TrainingJob:
    """Return a job that stops where its name says, with the steps until there as they would have been."""
    _, after, steps = name.partition("-after-")
    if not after:
        return whole
    training = dataclasses.replace(whole.training, steps=int(steps), decay_steps=STEPS)
    return dataclasses.replace(whole, training=training, validate_every=0)


def main(folder: str, start: str, kill_at: int, names: list[str]) -> None:
    gc.disable()  # half of TensorFlow's import

    def report(what: object) -> None:
        if isinstance(what, Progress) and what.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in names:
        made = {"student": student_job, "averaged": averaged_job}.get(name.split("-")[0], job)
        train(shortened(made(Path(folder), Path(start), name), name), report)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
