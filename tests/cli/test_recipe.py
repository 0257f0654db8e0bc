"""--recipe: a model runs as the file says, in a process with its variables; what does not fit is refused in a line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from nqperf.formats.results.recipe_toml import Figures, read_recipe, write_recipe
from nqperf.perf.machine.environment import python_command
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.suite.recipes import RECIPE, read_recipe_row
from nqperf.records.results import Subject
from tests.documents import river_examples, write_lines
from tests.recipes import recipe_for

SHORT = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12", "--quiet")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("data") / "data.jsonl", river_examples(2))


@pytest.fixture
def recipe(model_folder):
    return recipe_for(
        model_folder,
        environment={"MALLOC_TOP_PAD_": "65536", "TF_ENABLE_ONEDNN_OPTS": "0"},
        figures=Figures(
            ratio=1.5,
            interval=(1.4, 1.6),
            pairs=20,
            examples=2,
            changed=0,
            micro_f1=0.5,
            baseline_micro_f1=0.5,
            floor=1.39,
        ),
    )


@pytest.fixture
def saved(tmp_path, recipe):
    def save(**changes):
        path = tmp_path / "recipe.toml"
        write_recipe(path, msgspec.structs.replace(recipe, **changes))
        return path

    return save


@pytest.fixture
def named(data, model_folder, tmp_path):
    """Return the output, and how data and model are named on the command line."""
    return tmp_path / "out", data, "--model", model_folder


def command(*arguments):
    """Run nqperf in a process of its own."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    words = [sys.executable, "-m", "nqperf.cli.main", *map(str, arguments)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_run_and_predict_take_engine_settings_and_variables_from_it(data, model_folder, saved, tmp_path):
    out = tmp_path / "out"
    done = command("run", data, "--model", model_folder, "--recipe", saved(), "--out", out, *SHORT)
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads((out / "run.json").read_bytes())
    assert record["configuration"]["engine"]["xla"] is True
    assert record["configuration"]["engine"]["batch_size"] == 3
    logits = np.load(out / "logits.npz")
    features = out / "features.tfrecord"
    again = tmp_path / "again.npz"
    done = command("predict", features, "--model", model_folder, "--recipe", saved(), "--out", again, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    for name in logits.files:
        np.testing.assert_allclose(np.load(again)[name], logits[name], rtol=0, atol=1e-4)


def test_a_process_is_started_anew_once_with_the_variables(call, data, model_folder, saved, tmp_path, monkeypatch):
    started = []

    def execve(path, words, environment):
        started.append((path, words, environment))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "execve", execve)
    options = ("run", data, "--model", model_folder, "--recipe", saved(), "--out", tmp_path / "out", *SHORT)
    assert call(*options)[0] == 130
    ((path, words, environment),) = started
    assert path == sys.executable
    assert words == [*python_command("nqperf.cli.main"), *sys.argv[1:]]
    assert (environment["MALLOC_TOP_PAD_"], environment["TF_ENABLE_ONEDNN_OPTS"]) == ("65536", "0")
    monkeypatch.setenv("NQPERF_STARTED_ANEW", "1")
    code, _, err = call(*options)
    assert code == 2
    assert "the environment does not stay as the recipe sets it" in err
    assert "MALLOC_TOP_PAD_" in err
    assert len(started) == 1


@pytest.mark.slow
def test_on_another_device_the_baselines_way_is_taken_with_a_warning(call, data, model_folder, saved, tmp_path):
    device = msgspec.structs.replace(take_fingerprint(), cores=999)
    path, out = saved(device=device), tmp_path / "out"
    code, _, err = call("run", data, "--model", model_folder, "--recipe", path, "--out", out, *SHORT)
    assert code == 0
    assert err.count("\n") == 1
    assert "999 cores" in err
    assert "running the baseline's way" in err
    assert json.loads((out / "run.json").read_bytes())["configuration"]["engine"]["xla"] is False


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"engine": "tensorflo"}, (), ["unknown engine 'tensorflo'"]),
        ({"settings": {"speed": 9}}, (), ["has no setting speed"]),
        ({"settings": {"xla": "very"}}, (), ["a setting of the engine tensorflow"]),
        ({"model": Subject(name="other", sha256="0" * 64)}, (), ["field model.sha256", "is for the model other"]),
        ({}, ("--xla",), ["--xla and --recipe are both given"]),
        ({}, ("--batch-size", "2"), ["--batch-size and --recipe are both given"]),
        ({}, ("--buckets", "128"), ["--buckets and --recipe are both given"]),
        ({}, ("--ray",), ["--recipe is for this machine alone"]),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(call, named, saved, changes, options, words):
    (out, *rest) = named
    found = call("run", *rest, "--recipe", saved(**changes), "--out", out, *SHORT, *options)
    check_refused(found, words, out)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema_version = 1", "schema_version = 2", ["field schema_version", "nqperf tune"]),
        ("batch_size = 3", "batch_size = 0", ["batch_size 0"]),
        ("batch_size = 3", "size = 3", ["size"]),
        ("ratio = 1.5", "ratio = inf", ["field figures", "inf"]),
        ("[device]", "[machine]", ["machine"]),
        ("row = ", "row ", ["line 2", "is no TOML"]),
    ],
)
def test_a_broken_recipe_is_refused_by_its_place(call, named, saved, old, new, words):
    path, (out, *data_and_model) = saved(), named
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    for name in ("run", "bench"):
        rest = ("--out", out, *SHORT) if name == "run" else ("--out", out)
        check_refused(call(name, *data_and_model, "--recipe", path, *rest), words, out)


def check_refused(found, words, out):
    code, said, err = found
    assert (code, said) == (2, "")
    assert err.startswith("nqperf: error: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words), err
    assert not out.exists()


def test_it_is_read_as_it_was_written(saved, recipe):
    assert read_recipe(saved()) == recipe
    bare = msgspec.structs.replace(recipe, figures=None, note="not confirmed", settings={"grappler": {"a b": True}})
    assert read_recipe(saved(figures=None, note="not confirmed", settings={"grappler": {"a b": True}})) == bare


def test_it_is_a_row_of_the_suite_with_a_floor_on_its_own_device(saved, recipe):
    row = read_recipe_row(saved())
    variant = row.variant
    assert (variant.name, variant.batch_size, variant.tolerance) == (RECIPE, 3, "exact")
    assert variant.effects  # those of the row that it comes from
    assert variant.requested()["batch_size"] == 3
    sizes = {"max_seq_length": 48}
    profile = row.added_to(None, recipe.device, sizes)
    assert profile.floors == {RECIPE: 1.39}
    assert row.added_to(profile, recipe.device, sizes).floors == {RECIPE: 1.39}
    assert row.added_to(None, msgspec.structs.replace(recipe.device, cores=999), sizes) is None
    assert row.added_to(None, recipe.device, {"max_seq_length": 512}) is None
    assert read_recipe_row(saved(figures=None)).added_to(None, recipe.device, sizes) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "model.onnx"), ["model.onnx", "model folder"]),
        (("--model", "absent"), ["absent", "no such folder"]),
        (("absent",), ["absent", "no such file"]),
        (("mymodel:build",), ["a Keras model", "nqperf bench mymodel:build"]),
        (("--model", "own.keras"), ["a Keras model", "nqperf bench own.keras"]),
        (("absent", "data.jsonl"), ["2 arguments", "--model"]),
        (("--budget", "0"), ["the budget is 0 s"]),
        (("--budget", "inf"), ["without an end"]),
        (("--variants", "xlaa"), ["unknown variant 'xlaa'"]),
        (("--tolerance", "nearly"), ["'nearly'"]),
    ],
)
def test_tune_refuses_bad_input_before_any_worker_starts(call, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.Popen", None)
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    check_refused(call("tune", *arguments, "--out", "recipe.toml"), words, tmp_path / "recipe.toml")
