"""Names that people give a model, or its inputs, and that are near to right: what they are told to write."""

import sys
from pathlib import Path

import numpy as np
import pytest

from nqperf.casts.naming import is_module, meant, only_array, refuse_misnamed
from nqperf.errors import ConfigError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a folder with the package pkg, its module pkg.inner.model, and a module alone; it is the working one."""
    (tmp_path / "pkg" / "inner").mkdir(parents=True)
    for place in ("pkg/__init__.py", "pkg/inner/__init__.py", "pkg/inner/model.py", "alone.py"):
        (tmp_path / place).write_text("raise RuntimeError('imported')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_within_packages_is_named_from_the_outermost_one(project, monkeypatch):
    assert meant("pkg/inner/model.py", "build") == "; for a file say pkg.inner.model:build"
    assert meant("alone.py") == "; for a file say alone:FUNCTION"
    monkeypatch.chdir(project / "pkg" / "inner")
    assert meant("model.py", "build") == f"; for a file say pkg.inner.model:build in {Path('..') / '..'}"


@pytest.mark.usefixtures("project")
def test_a_module_is_known_without_being_imported():
    assert [is_module(name) for name in ("alone", "pkg", "pkg.inner", "pkg.inner.model")] == [True] * 4
    assert [is_module(name) for name in ("pkg.build", "none", "dev.jsonl", "a b", "", ".")] == [False] * 6
    assert not {"pkg", "alone"} & set(sys.modules)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pkg.inner.model", r"neither data nor a model; pkg\.inner\.model is a module: .*pkg\.inner\.model:FUNCTION$"),
        ("pkg/inner/model.py:build", r"is a file; expected its module; for a file say pkg\.inner\.model:build$"),
        ("alone.py", r"alone:FUNCTION$"),
        ("model.weights.h5", "name a function that builds the model and loads them$"),
    ],
)
def test_what_is_meant_for_a_model_is_not_looked_for_as_data(text, words):
    with pytest.raises(ConfigError, match=words):
        refuse_misnamed(text)


@pytest.mark.parametrize("text", ["dev.jsonl.gz", "s3://bucket/dev.jsonl", "-", "*.jsonl", "dev:1.jsonl"])
def test_data_is_left_alone(project, text):
    refuse_misnamed(text)
    (project / "alone").write_text("data of a module's name")
    refuse_misnamed("alone")


def test_an_only_array_is_for_an_only_input():
    one, two = {"x": np.zeros(3)}, {"x": np.zeros(3), "y": np.zeros(3)}
    assert only_array(one, ["ids"]) == "x"
    assert only_array(one, ["x"]) is None
    assert only_array(one, ["ids", "mask"]) is None
    assert only_array(two, ["ids"]) is None
