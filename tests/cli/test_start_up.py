"""No log line of TensorFlow's in any command, with a GPU or without; --verbose shows them; a failed start shows all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nqperf.cli import start_up
from tests.documents import river_examples, write_lines
from tests.suites import SEQ_LENGTH, write_inputs

BUILDER = """
import tensorflow
import keras

def build(precision="mixed_float16"):
    inputs = keras.Input((8,))
    layers = [keras.layers.Dense(4, dtype=precision, name="dense"), keras.layers.LayerNormalization(dtype=precision)]
    return keras.Model(inputs, layers[1](layers[0](inputs)))
"""
BROKEN = """
import os

os.write(2, b"the driver is too old\\n")
raise OSError("no libcuda")
"""
ROOT = Path(__file__).parents[2]
LOG_LINE = re.compile(
    r"^[IWEF]\d{4} |^\d{4}-\d\d-\d\d .*: [IWEF] |absl::InitializeLog|^To enable the following|^WARNING:"
)
LENGTHS = f"--max-seq-length {SEQ_LENGTH}"
COMMANDS = {
    "run": f"run {{data}} --model {{model}} --out {{folder}}/out {LENGTHS}",
    "bench": f"bench {{data}} --model {{model}} {LENGTHS} --variants eager --baseline onnxruntime --rounds 1",
    "train": "train --source world:20:1 --start {model} --out {folder}/new --work {folder}/work --steps 2 "
    f"--warmup-steps 0 --batch-size 2 --doc-stride 32 {LENGTHS}",
    "doctor": "doctor --noise-seconds 0.1",
    "casts audit": "casts audit built:build --precision mixed_float16",
    "casts drift": "casts drift built:build",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, tiny_config, sentencepiece_file):
    folder = tmp_path_factory.mktemp("quiet")
    model, _ = write_inputs(folder, tiny_config, sentencepiece_file)
    data = write_lines(folder / "two.jsonl", river_examples(2))
    (folder / "built.py").write_text(BUILDER)
    return {"folder": folder, "model": model, "data": data}


def nqperf(folder, command, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "nqperf.cli.main", *command.split()],
        cwd=folder,
        env={**kept, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow(15)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_none_of_tensorflows_log(places, name):
    done = nqperf(places["folder"], COMMANDS[name].format(**places))
    assert done.returncode in ((0, 3, 4) if name == "bench" else (0,)), done.stderr
    assert done.stdout
    assert [line for line in (done.stderr + done.stdout).splitlines() if LOG_LINE.search(line)] == []


@pytest.mark.slow
def test_verbose_shows_the_log_and_what_is_wide_by_design(places):
    done = nqperf(places["folder"], "casts audit built:build --verbose")
    assert LOG_LINE.search(done.stderr)
    assert "wide by design (" in done.stdout
    assert "layer_normalization: " in done.stdout


@pytest.mark.parametrize("level", ["0", "1"])
def test_a_log_level_that_asks_for_more_is_obeyed(monkeypatch, level):
    monkeypatch.setenv(start_up.LOG_LEVEL, level)
    before = list(sys.meta_path)
    start_up.hold_back()
    assert (os.environ[start_up.LOG_LEVEL], sys.meta_path) == (level, before)


def test_every_command_takes_verbose(places):
    for command in ("world", "evaluate", "casts drift"):
        assert "--verbose" in nqperf(places["folder"], f"{command} --help").stdout


def test_what_a_tensorflow_that_fails_to_start_said_is_shown(places, tmp_path):
    broken = tmp_path / "tensorflow"
    broken.mkdir()
    (broken / "__init__.py").write_text(
        "import os\nos.write(2, b'the driver is too old\\n')\nraise OSError('no libcuda')\n"
    )
    done = nqperf(places["folder"], "casts audit built:build", PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert done.returncode == 2
    assert "the driver is too old" in done.stderr
    assert "no libcuda" in done.stderr.splitlines()[-1]
