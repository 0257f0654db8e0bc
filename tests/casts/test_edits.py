"""Edits as text, in memory and as a patch: formatting stays, nothing is half-written, what does not fit is refused."""

import importlib.util
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.casts.edits.in_memory import in_force
from nqperf.casts.edits.patch import patch_of
from nqperf.casts.edits.text import Change, Edit, edited, expression
from nqperf.casts.findings import Finding
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.casts.source_files import read_source, write_sources

SOURCE = "def f(x, y):\n    # a sum\n    return x + y  # é\n"


def cast(span, path="m.py"):
    return Edit(path=path, changes=(Change(span=span, before="c(", after=", d)"),))


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "m.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finding(path, span=(3, 15, 3, 16)):
    return Finding(rule="CAST001", location=None, layer="", message="m", fix=cast(span, str(path)))


def load(path):
    spec = importlib.util.spec_from_file_location("m_in_memory", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["m_in_memory"] = module
    spec.loader.exec_module(module)
    return module


def test_pieces_are_wrapped_replaced_and_nested():
    assert edited(SOURCE, [cast((3, 15, 3, 16))]).splitlines()[2] == "    return x + c(y, d)  # é"
    both = [cast((3, 15, 3, 16)), cast((3, 11, 3, 12)), cast((3, 11, 3, 16)), cast((3, 15, 3, 16))]
    assert edited(SOURCE, both).splitlines()[2] == "    return c(c(x, d) + c(y, d), d)  # é"
    drop = Edit(path="m.py", changes=(Change(span=(3, 11, 3, 16), before="x", drops=True),))
    assert edited(SOURCE, [drop]).splitlines()[2] == "    return x  # é"
    assert expression(SOURCE, (3, 11, 3, 16)) == "x + y"


@pytest.mark.parametrize("other", [(3, 13, 3, 18), (3, 11, 3, 13)])
def test_edits_that_overlap_are_refused(other):
    drop = Edit(path="m.py", changes=(Change(span=(3, 11, 3, 16), before="x", drops=True),))
    with pytest.raises(ConfigError, match="edited twice"):
        edited(SOURCE, [drop, cast(other)])
    with pytest.raises(ConfigError, match="beyond the end"):
        edited(SOURCE, [cast((9, 0, 9, 1))])


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6), st.text("ab é\t", min_size=20, max_size=30)
)
def test_what_is_not_edited_stays(pairs, line):
    """Reference: brackets put into the characters one by one, from the right."""
    spans = {tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]}
    disjoint = [a for a in spans if all(a == b or a[1] <= b[0] or b[1] <= a[0] for b in spans)]
    byte = [len(line[:column].encode()) for column in range(len(line) + 1)]
    edits = [
        Edit(path="m", changes=(Change(span=(1, byte[start], 1, byte[end]), before="<", after=">"),))
        for start, end in disjoint
    ]
    wanted = list(line)
    for start, end in sorted(disjoint, reverse=True):
        wanted[end:end] = [">"]
        wanted[start:start] = ["<"]
    assert edited(line, edits) == "".join(wanted)


def test_live_functions_run_the_edited_source_and_go_back(project):
    module = load(project / "m.py")
    held = module.f
    change = Change(span=(3, 11, 3, 16), before="(", after=") * factor")
    edit = Edit(path=str(project / "m.py"), changes=(change,), imports=("from math import pi as factor",))
    text = edited(SOURCE, [edit])
    with in_force({str(project / "m.py"): (text, edit.imports)}):
        assert held(1, 2) == pytest.approx(9.42477796)
    assert held(1, 2) == 3
    assert not hasattr(module, "factor")
    with pytest.raises(ConfigError, match="no Python"), in_force({str(project / "m.py"): ("def f(:", ())}):
        pass


def test_a_patch_keeps_all_but_the_edit_and_git_applies_it(project):
    made = patch_of([finding(project / "m.py")])
    assert made.after[0].text == SOURCE.replace("x + y", "x + c(y, d)")
    (project / "casts.patch").write_text(made.diff)
    subprocess.run(["git", "apply", "casts.patch"], cwd=project, check=True)  # noqa: S607  # git is on the path
    assert (project / "m.py").read_text() == made.after[0].text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_newlines_tabs_and_imports_are_kept(project, newline):
    path = project / "m.py"
    text = '"""Doc."""\nimport os\n\n\ndef f(x, y):\n\treturn x + y'
    path.write_bytes(text.replace("\n", newline).encode())
    fix = Edit(path=str(path), changes=cast((6, 12, 6, 13)).changes, imports=("import tensorflow as tf",))
    made = patch_of([Finding(rule="CAST001", location=None, layer="", message="m", fix=fix)])
    write_sources(made.after)
    wanted = text.replace("import os\n", "import os\nimport tensorflow as tf\n").replace("x + y", "x + c(y, d)")
    assert path.read_bytes() == wanted.replace("\n", newline).encode()


def test_what_cannot_be_edited_is_refused_by_name(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "m.py"
    elsewhere.write_text(SOURCE)
    with pytest.raises(ConfigError, match="outside of the project"):
        patch_of([finding(elsewhere)])
    assert patch_of([finding(elsewhere)], anywhere=True).mended == 1
    installed = project / "site-packages" / "m.py"
    installed.parent.mkdir()
    installed.write_text(SOURCE)
    with pytest.raises(ConfigError, match="installed in site-packages"):
        patch_of([finding(installed)])
    with pytest.raises(ConfigError, match="notebook's cell"):
        patch_of([finding(project / "archive.zip" / "m.py")])
    (project / "mixed.py").write_bytes(b"a = 1\r\nb = 2\n")
    with pytest.raises(FormatError, match="mixes newlines"):
        patch_of([finding(project / "mixed.py")])


def test_a_file_that_has_changed_since_the_trace_is_refused(project):
    path = project / "m.py"
    assert patch_of([finding(path)]).mended == 1  # its lines are known from here on
    path.write_text(SOURCE + "\n# later\n")
    with pytest.raises(ConfigError, match="has changed since it was traced"):
        patch_of([finding(path)])


def test_all_files_are_written_or_none(project, monkeypatch):
    paths = [project / "m.py", project / "n.py"]
    paths[1].write_text(SOURCE)
    files = [read_source(path).with_text("changed = 1\n") for path in paths]
    paths[1].chmod(0o444)
    with pytest.raises(FormatError, match="is read-only"):
        write_sources(files)
    assert [path.read_text() for path in paths] == [SOURCE, SOURCE]
    paths[1].chmod(0o644)
    genuine = os.replace
    monkeypatch.setattr("nqperf.formats.casts.source_files.write_whole", _failing_at(paths[1]))
    with pytest.raises(FormatError, match="full"):
        write_sources(files)
    assert [path.read_text() for path in paths] == [SOURCE, SOURCE]
    assert os.replace is genuine


def _failing_at(path):
    from nqperf.formats.files import write_whole

    def write(where, content):
        if where == path and content != SOURCE.encode():
            raise FormatError("the disk is full", path=path)
        write_whole(where, content)

    return write
