"""The files that `nqperf init` writes into a project: a gate of its own, and the workflow that runs it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import TOML_BYTES, decode_toml
from nqperf.formats.files import write_whole
from nqperf.formats.project_toml import FILE
from nqperf.formats.reading import exists, read_whole

_MINOR = 11
_PYTHON = f"3.{_MINOR}"
_CONFTEST = '''"""The gate measures alone on its machine: where pytest-xdist spreads the tests, its own are left out."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that benchmarks.work is found however pytest is started


def pytest_collection_modifyitems(config, items):
    if config.getoption("dist", "no") != "no" or hasattr(config, "workerinput"):
        for item in items:
            if "nqperf_paired" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="measured alone: pytest benchmarks -n 0"))


def pytest_terminal_summary(terminalreporter):
    if any("measured alone" in str(one.longrepr) for one in terminalreporter.stats.get("skipped", ())):
        terminalreporter.write_line("the speed gate measures alone and was left out here: pytest benchmarks -n 0")
'''
_WORK = '''"""What is measured: `build` runs once in each process; what it returns is timed, its output compared."""

{imports}

def build():
    {prepare}
    return lambda: {call}
'''
_OWN = (
    "import random\n",
    "numbers = random.Random(0).sample(range(10**6), 10**4)  # your own work in place of this",
    "sorted(numbers)",
)
_TEST = '''"""A template, for two ways to do the same work in this tree: both are one function until you write another.

It judges no speed as it is, and you may delete it. What fails a pull request is the workflow's `nqperf ab`, which
holds the work to its base.
"""

from benchmarks.work import build


def test_another_way_to_do_the_work(nqperf_paired):
    """Write the way that is to be beaten as the first; floor=1.0 then fails where the second is slower."""
    nqperf_paired(build(), build(), floor=None)
'''
_WORKFLOW = """# Is a pull request slower than its base? Both are measured on one runner; see the job's summary.
name: speed
on: pull_request
permissions:
  contents: read
jobs:
  speed:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0              # the base's commit is needed too
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "{python}"
      - run: python -m pip install -e .
{note}      - uses: {action}
        with:
          target: benchmarks.work:build
"""
# What the workflow names where it is not known where nqperf is from, and what is said of it there: plainly words to
# replace, for a name that looks like one may be a stranger's.
FOLDER = ".github/actions/ab"
OPEN = f"OWNER/REPO/{FOLDER}@COMMIT"
_REPLACE = """      # Replace OWNER/REPO and COMMIT in the next line, this job fails until then: by a repository on
      # GitHub with nqperf's files that this one may read, and by one of its commits.
"""
_USES = re.compile(rf"^ *- uses: (.*{re.escape(FOLDER)}.*?) *(?:#.*)?$")
CONFTEST, WORK, TEST = "benchmarks/conftest.py", "benchmarks/work.py", "benchmarks/test_speed.py"
WORKFLOW = ".github/workflows/speed.yml"


class _Needed(msgspec.Struct, frozen=True, rename="kebab"):
    requires_python: str = ""


class _Project(msgspec.Struct, frozen=True):
    project: _Needed = _Needed()


def starter_files(
    function: str | None, python: str, action: str | None, needed: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the files' contents by their paths.

    `function` is what is measured, "module:name"; without one it is a sample to replace. `needed` are the arguments
    that it must be given: the builder says so until they are there. `python` is the version that the workflow runs,
    `action` the action that it uses, as its step names it: None where that is not known, and a
    line above the step says that it must be replaced.
    """
    imports, prepare, call = _OWN
    if function is not None:
        module, _, name = function.partition(":")
        said = ", ".join(needed)
        imports, call = f"from {module} import {name}\n", f"{name}({said})"
        prepare = f"{call}  # warm"
        if needed:
            missing = f'raise NotImplementedError("{WORK}: give {name} its {said}, and take this line away")'
            prepare = f"{missing}\n    {said} = {', '.join(['...'] * len(needed))}  # from a fixed seed\n    {prepare}"
    work = _WORK.format(imports=imports, prepare=prepare, call=call)
    workflow = _WORKFLOW.format(python=python, action=action or OPEN, note="" if action else _REPLACE)
    return {CONFTEST: _CONFTEST, WORK: work, TEST: _TEST, WORKFLOW: workflow}


def _python_of(folder: Path) -> str:
    """Return the Python that the project in `folder` installs in: the usual one, or the oldest that it takes."""
    if not (folder / FILE).is_file():
        return _PYTHON
    content = read_whole(folder / FILE, what="a project's settings", limit=TOML_BYTES)
    needed = decode_toml(content, _Project, folder / FILE, expected="a project's settings").project.requires_python
    oldest = [int(minor) for minor in re.findall(r">=\s*3\.(\d+)", needed)]
    return f"3.{max([_MINOR, *oldest])}"


def _edit(folder: Path, action: str | None) -> str:
    """Return which line of the workflow in `folder` is to name the `action`, as the end of a message; else nothing."""
    if action is None or not exists(folder / WORKFLOW):
        return ""
    lines = read_whole(folder / WORKFLOW, what="a workflow", limit=TOML_BYTES).decode(errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if (found := _USES.match(line)) and found[1] != action:
            return f", or write {action} in the place of {found[1]} in line {number} of {WORKFLOW}"
    return ""


def write_starter_files(
    folder: Path, function: str | None, action: str | None, needed: tuple[str, ...] = ()
) -> list[str]:
    """Write the files into `folder`, all or none, and return their paths there.

    `function`, `action` and `needed` are as in `starter_files`.

    Raises: FormatError when one of them is there already, naming each, or cannot be written.
    """
    if not folder.is_dir():
        raise FormatError("no such folder; expected the project's", path=folder)
    files = starter_files(function, _python_of(folder), action, needed)
    there = [path for path in files if exists(folder / path)]
    if there:
        said = f"has {', '.join(there)} already, which is not replaced: move it away{_edit(folder, action)}"
        raise FormatError(said, path=folder)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, content.encode())
    return list(files)
