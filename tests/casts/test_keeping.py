"""The layers that bisection names, kept in float32 by a patch: made, tried, and refused with a reason."""

import importlib
import json
import subprocess
import sys

import click.testing
import pytest

from nqperf.cli.casts import casts

MODULE = """
import keras
from keras import ops


class Coarse(keras.layers.Layer):
    def call(self, x):
        return (x + 1000.0) - 1000.0


def build():
    inputs = keras.Input((8,), batch_size=2)
    hidden = keras.layers.Dense(8, name="dense")(inputs)
    hidden = Coarse(name="coarse")(hidden)
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(hidden), name="kept")


def build_pair():
    inputs = keras.Input((8,), batch_size=2)
    hidden = inputs
    for number in range(2):
        hidden = Coarse(name=f"coarse_{number}")(keras.layers.Dense(8, name=f"dense_{number}")(hidden))
    return keras.Model(inputs, hidden, name="pair")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "kept_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "kept_models", raising=False)
    importlib.invalidate_caches()
    return tmp_path


def bisect(*words):
    return click.testing.CliRunner().invoke(casts, ["bisect", *words], catch_exceptions=False)


def test_the_patch_makes_the_layer_in_float32_and_git_applies_it(project):
    found = bisect("kept_models:build", "--tolerance", "0.01", "--patch", "keep.patch")
    assert found.exit_code == 0
    assert "  kept/coarse" in found.output
    assert 'Coarse(name="coarse", dtype="float32")' in found.output
    subprocess.run(["git", "apply", "keep.patch"], cwd=project, check=True)  # noqa: S607  # git is on the path
    assert 'Coarse(name="coarse", dtype="float32")' in (project / "kept_models.py").read_text()
    del sys.modules["kept_models"]
    importlib.invalidate_caches()
    assert json.loads(bisect("kept_models:build", "--tolerance", "0.01", "--json").output)["layers"] == []


@pytest.mark.usefixtures("project")
def test_a_line_that_makes_several_layers_keeps_them_all_and_says_so():
    document = json.loads(bisect("kept_models:build_pair", "--tolerance", "0.03", "--json").output)
    assert len(document["layers"]) in (1, 2)
    assert document["no_patch"] is None
    if len(document["layers"]) == 1:
        assert "which the same lines make" in bisect("kept_models:build_pair", "--tolerance", "0.03").output


@pytest.mark.usefixtures("project")
def test_a_file_outside_of_the_project_is_not_edited(monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "pyproject.toml").touch()
    monkeypatch.chdir(elsewhere)
    found = bisect("kept_models:build", "--tolerance", "0.01", "--patch", "keep.patch")
    assert "no patch: " in found.output
    assert "outside of the project" in found.output
    assert not (elsewhere / "keep.patch").exists()
