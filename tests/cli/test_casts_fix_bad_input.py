"""What `nqperf casts fix` refuses to edit: one line that names the file, and nothing half written."""

import importlib
import sys
import zipfile

import click.testing
import pytest

from nqperf.cli.casts import casts
from nqperf.errors import NqPerfError

LAYER = """
import keras
import tensorflow as tf


class Layer(keras.layers.Layer):
    def call(self, x):
        return x + tf.ones((4,))
"""
BUILD = """

def build():
    inputs = keras.Input((4,), batch_size=2)
    return keras.Model(inputs, Layer()(inputs))
"""
FIXED = "return x + keras.ops.cast(tf.ones((4,)), self.compute_dtype)"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("subject", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    # What is left is written by a second process; here it is only what `fix` itself does.
    monkeypatch.setattr("nqperf.cli.casts_fix._again", lambda *_: 0)
    yield tmp_path
    for name in ("subject", "helper"):
        sys.modules.pop(name, None)


def fix(*words):
    return click.testing.CliRunner().invoke(casts, ["fix", *words], catch_exceptions=True)


def refusal(*words):
    outcome = fix(*words)
    assert isinstance(outcome.exception, NqPerfError), outcome.output
    return str(outcome.exception)


def test_newlines_of_windows_and_tabs_are_kept(project):
    path = project / "subject.py"
    text = (LAYER + BUILD).replace("    ", "\t").replace("\n", "\r\n")
    path.write_bytes(text.encode())
    assert fix("subject:build", "--write").exit_code == 0
    assert path.read_bytes().decode() == text.replace("return x + tf.ones((4,))", FIXED)


def test_a_file_with_mixed_newlines_is_refused(project):
    path = project / "subject.py"
    path.write_bytes((LAYER + BUILD).replace("\n", "\r\n", 3).encode())
    before = path.read_bytes()
    assert "subject.py: mixes newlines" in refusal("subject:build", "--write")
    assert path.read_bytes() == before


def test_a_read_only_file_is_refused_and_the_other_one_is_not_written_either(project):
    (project / "helper.py").write_text(LAYER + "\n\ndef more(x):\n    return x - tf.ones((4,))\n")
    text = (
        "import keras\nfrom helper import Layer, more\n\n\nclass Outer(keras.layers.Layer):\n    def call(self, x):\n"
    )
    (project / "subject.py").write_text(
        text + "        return more(x)\n" + BUILD.replace("Layer()(inputs)", "Outer()(Layer()(inputs))")
    )
    before = {path: path.read_text() for path in project.glob("*.py")}
    (project / "helper.py").chmod(0o444)
    assert "helper.py: is read-only" in refusal("subject:build", "--write")
    assert {path: path.read_text() for path in project.glob("*.py")} == before


def test_a_file_that_changes_while_it_is_audited_is_refused(project):
    path = project / "subject.py"
    changes = f"""

def changing():
    with open({str(path)!r}, "a") as file:
        file.write("# later\\n")
    return build()
"""
    path.write_text(LAYER + BUILD + changes)
    said = refusal("subject:changing", "--write")
    assert "subject.py has changed since it was traced: nothing was written" in said
    assert FIXED not in path.read_text()


def test_generated_code_and_a_notebooks_cell_are_refused(project):
    (project / "subject.py").write_text(
        f"SOURCE = {LAYER + BUILD!r}\nimport linecache\nlinecache.cache['/cells/ipykernel_1/2.py'] = "
        "(len(SOURCE), None, SOURCE.splitlines(True), '/cells/ipykernel_1/2.py')\n"
        "exec(compile(SOURCE, '/cells/ipykernel_1/2.py', 'exec'))\n"
    )
    said = refusal("subject:build", "--anywhere", "--write")
    assert "/cells/ipykernel_1/2.py is no file (generated code, a notebook's cell" in said


def test_a_builder_from_an_archive_is_refused(project, monkeypatch):
    with zipfile.ZipFile(project / "packed.zip", "w") as archive:
        archive.writestr("subject.py", LAYER + BUILD)
    monkeypatch.syspath_prepend(str(project / "packed.zip"))
    before = (project / "packed.zip").read_bytes()
    said = refusal("subject:build", "--write")
    assert "packed.zip/subject.py is no file" in said
    assert (project / "packed.zip").read_bytes() == before


def test_a_line_that_two_layers_share_is_edited_once(project):
    (project / "subject.py").write_text(
        LAYER
        + """

class Other(keras.layers.Layer):
    def call(self, x):
        return x + tf.ones((4,)), x - tf.ones((4,))


def build():
    inputs = keras.Input((4,), batch_size=2)
    first, second = Other()(inputs)
    return keras.Model(inputs, [Layer()(first), Layer()(second)])
"""
    )
    outcome = fix("subject:build", "--write")
    assert outcome.exit_code == 0, outcome.output
    after = (project / "subject.py").read_text()
    assert after.count(f"{FIXED}\n") == 1
    assert after.count("ops.cast(") == 3


@pytest.mark.usefixtures("project")
def test_write_and_patch_together_are_refused():
    assert "choose one" in refusal("subject:build", "--write", "--patch", "casts.patch")
