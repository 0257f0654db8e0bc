"""A training job of seconds, run in a process of its own: training makes TensorFlow deterministic for good.

python tiny_job.py FOLDER START KILL_AT NAME...; a NAME that begins with "student" learns from START. A student and what
begins with "averaged" are moving averages of their weights; of "unbroken" the weights after each step are kept. At step
KILL_AT, unless it is 0, the next job begins, and amid the last one SIGKILL ends the process, and so all of them.
"""

import dataclasses
import gc
import os
import signal
import sys
from pathlib import Path

from nqperf.formats.training.state_file import write_arrays
from nqperf.nq.features import FeatureConfig
from nqperf.training import recipe
from nqperf.training.corpus import Batch
from nqperf.training.distillation import Lesson
from nqperf.training.recipe import TrainingJob, train
from nqperf.training.sources import Source
from nqperf.training.student import StudentShape
from nqperf.training.train import Progress, Trainer, TrainingConfig

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
    return dataclasses.replace(averaged_job(folder, teacher, name), start=None, lesson=lesson)


def averaged_job(folder: Path, start: Path, name: str) -> TrainingJob:
    plain = job(folder, start, name)
    training = dataclasses.replace(plain.training, ema_momentum=EMA_MOMENTUM)
    return dataclasses.replace(plain, training=training)


def weights_after(folder: Path, step: int) -> Path:
    """Return the file of the weights that "unbroken" had after a step."""
    return folder / "unbroken-work" / f"weights-{step}.safetensors"


def main(folder: Path, start: Path, kill_at: int, names: list[str]) -> None:
    gc.disable()  # half of TensorFlow's import

    class Watched(Trainer):
        """Keeps its weights after each step."""

        def train(self, batch: Batch) -> dict[str, float]:
            told = super().train(batch)
            write_arrays(weights_after(folder, self.step), self.weights())
            return told

    def begin(name: str, *others: str) -> None:
        def report(what: object) -> None:
            if isinstance(what, Progress) and what.step == kill_at:
                if others:
                    begin(*others)
                os.kill(os.getpid(), signal.SIGKILL)

        recipe.Trainer = Watched if name == "unbroken" else Trainer
        made = {"student": student_job, "averaged": averaged_job}.get(name.partition("-")[0], job)
        train(made(folder, start, name), report)

    if kill_at:
        begin(*names)
    for name in names:
        begin(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
