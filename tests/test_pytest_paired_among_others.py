"""`nqperf_paired` among a project's other tests and plugins: nothing of theirs ends the session or is bent.

The comparisons take two short looks, so a verdict may be any; each test asserts what does not hang on it.
"""

import json
import os

import msgspec
import pytest

from nqperf.formats.results.results_json import read_results
from nqperf.pytest_plugin.paired import timeout_of
from nqperf.records.comparison import compare
from tests.inner_sessions import ALONE, REPOSITORY, forget_outer_session

pytest_plugins = ["pytester"]

SHORT = """
import numpy as np
from nqperf.gate import GateConfig, PairedConfig

VALUES = np.linspace(0, 1, 500)
CONFIG = PairedConfig(gate=GateConfig(sets=3, rounds=2), seconds=0.5, shortest=0.0005)

def work(): return VALUES * 2
def wrong(): return VALUES
"""
EQUAL = """
from short import CONFIG, work, wrong

def test_speed(nqperf_paired): nqperf_paired(work, work, floor=None, config=CONFIG)
"""
UNEQUAL = "\ndef test_wrong(nqperf_paired): nqperf_paired(work, wrong, floor=None, config=CONFIG)\n"
PLAIN = "\ndef test_plain(): pass\n"


@pytest.fixture
def project(pytester, monkeypatch):
    forget_outer_session(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config\npythonpath = .\n")
    pytester.makepyfile(short=SHORT)

    def run(*arguments, **files):
        if files:
            pytester.makepyfile(**files)
        return pytester.runpytest_subprocess(*ALONE, *arguments)

    return run


def outcomes(result):
    return {name: count for name, count in result.parseoutcomes().items() if name != "warnings"}


@pytest.mark.parametrize("benchmarks", [(), ("-p", "no:benchmark")])
def test_strict_markers_and_warnings_as_errors_hold(project, benchmarks):
    result = project(*benchmarks, test_it=EQUAL + PLAIN)
    assert outcomes(result)["passed"] >= 1, result.stdout.str()
    assert "Warning" not in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["test_it.py::test_speed *"])


def test_only_benchmarks(project):
    result = project("--benchmark-only", "-k", "plain or wrong", test_it=EQUAL + UNEQUAL + PLAIN)
    assert outcomes(result) == {"failed": 1, "skipped": 1, "deselected": 1}
    result.stdout.fnmatch_lines(["*test_wrong: parity: *"])


@pytest.mark.parametrize("where", ["typed", "configuration"])
def test_skipped_benchmarks(project, pytester, where):
    if where == "configuration":
        pytester.makeini("[pytest]\naddopts = --benchmark-skip\npythonpath = .\n")
    result = project(*(["--benchmark-skip"] if where == "typed" else []), test_it=EQUAL + UNEQUAL + PLAIN)
    assert outcomes(result) == {"passed": 1, "skipped": 2}
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["nqperf: --benchmark-skip: *nothing was judged"])


def test_disabled_benchmarks_still_compare_the_outputs(project):
    result = project("--benchmark-disable", test_it=EQUAL + UNEQUAL + PLAIN)
    assert outcomes(result) == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["*test_wrong: parity: *", "nqperf: --benchmark-disable: *nothing was judged"])


def test_disabled_in_the_configuration_and_an_option_of_the_gate_typed_is_no_green_session(project, pytester):
    pytester.makeini("[pytest]\naddopts = --benchmark-disable\npythonpath = .\n")
    result = project("--nqperf-quick", test_it=EQUAL)
    assert (outcomes(result), result.ret) == ({"passed": 1}, pytest.ExitCode.TESTS_FAILED)
    result.stdout.fnmatch_lines(["nqperf: --nqperf-quick was given*give --benchmark-enable too"])


@pytest.mark.slow
def test_two_sessions_in_another_order_compare_the_same_rows(project, pytester):
    for folder in "ab":
        pytester.mkpydir(folder)
        (pytester.path / folder / "test_it.py").write_text(EQUAL)
    project("a", "b", "--nqperf-save-results=first.json")
    project("b", "a", "--nqperf-save-results=second.json")
    first, second = (read_results(pytester.path / f"{name}.json") for name in ("first", "second"))
    assert [row.name for row in first.variants] == ["a/test_it.py::test_speed", "b/test_it.py::test_speed"]
    assert [row.name for row in second.variants] == [row.name for row in reversed(first.variants)]


PARAMETERS = """
@pytest.mark.parametrize("size", [1, 2])
def test_speed(nqperf_paired, size): go(nqperf_paired)
"""
CLASSES = """
class TestOne:
    def test_speed(self, nqperf_paired): go(nqperf_paired)

class TestTwo:
    def test_speed(self, nqperf_paired): go(nqperf_paired)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "names"),
    [
        (PARAMETERS, ["test_speed[1]", "test_speed[2]"]),
        (CLASSES, ["TestOne::test_speed", "TestTwo::test_speed"]),
    ],
)
def test_rows_keep_their_names_in_any_order_and_two_such_records_compare(project, pytester, tests, names):
    source = "import pytest\nfrom short import CONFIG, work\n"
    source += "def go(paired): paired(work, work, floor=None, config=CONFIG)\n" + tests
    nodes = [f"test_it.py::{name}" for name in names]
    project(*nodes, "--nqperf-save-results=first.json", test_it=source)
    project(*reversed(nodes), "--nqperf-save-results=second.json", test_it=source)
    first, second = (read_results(pytester.path / f"{name}.json") for name in ("first", "second"))
    assert [row.name for row in first.variants] == nodes
    assert [row.name for row in second.variants] == nodes[::-1]
    valid = [msgspec.structs.replace(run, outcome="REPORTED") for run in (first, second)]
    found = compare(*valid)
    assert {change.name for change in found.changes} >= set(nodes)
    assert (found.missing, found.added) == ({}, ())
    assert all(0.3 < change.factor < 3 for change in found.changes)


@pytest.mark.slow
def test_a_rerun_takes_the_place_of_what_it_repeats(project, pytester):
    pytest.importorskip("pytest_rerunfailures", reason="pytest-rerunfailures is not installed")
    once = """
import pathlib
from short import CONFIG, work

def test_speed(nqperf_paired):
    nqperf_paired(work, work, floor=None, config=CONFIG)
    seen = pathlib.Path(__file__).with_name("seen")
    if not seen.exists():
        seen.touch()
        assert False, "flaky"
"""
    options = ("--reruns=2", "--nqperf-save-results=run.json", "--benchmark-json=b.json")
    result = project(*options, test_it=once)
    assert result.parseoutcomes().get("rerun") == 1, result.stdout.str()
    assert [row.name for row in read_results(pytester.path / "run.json").variants[-1:]] == ["test_it.py::test_speed"]
    result.stdout.fnmatch_lines(
        ["nqperf: test_it.py::test_speed was measured again in a rerun of its test; its * was dropped"]
    )
    assert len(json.loads((pytester.path / "b.json").read_text())["benchmarks"]) == 1


def test_the_name_of_another_tests_row_is_refused(project):
    twice = "from short import CONFIG, work, wrong\n" + "".join(
        f"def test_{name}(nqperf_paired): nqperf_paired(work, wrong, name='mine', config=CONFIG)\n" for name in "ab"
    )
    result = project(test_it=twice)
    assert outcomes(result) == {"failed": 2}
    result.stdout.fnmatch_lines(["*mine was compared before in this session; give this comparison a name= of its own"])


class TestTimeouts:
    @pytest.fixture(autouse=True)
    def plugin(self):
        pytest.importorskip("pytest_timeout", reason="pytest-timeout is not installed")

    @pytest.mark.parametrize(
        ("mark", "arguments", "variable", "seconds"),
        [
            ("timeout(7)", (), None, 7),
            ("timeout(timeout=8)", ("--timeout=5",), "3", 8),
            ("filterwarnings('error')", ("--timeout=5",), "3", 5),
            ("filterwarnings('error')", (), "3", 3),
            ("filterwarnings('error')", ("-o", "timeout=4"), None, 4),
            ("timeout(0)", ("--timeout=5",), None, None),
            ("filterwarnings('error')", (), None, None),
            ("filterwarnings('error')", ("-p", "no:timeout"), None, None),
        ],
    )
    def test_the_time_of_a_test_is_found_where_pytest_timeout_finds_it(
        self, pytester, monkeypatch, mark, arguments, variable, seconds
    ):
        forget_outer_session(monkeypatch)
        if variable:
            monkeypatch.setenv("PYTEST_TIMEOUT", variable)
        source = f"import pytest\n@pytest.mark.{mark}\ndef test_it(): pass\n"
        (item,) = (
            pytester.getitems(source)
            if not arguments
            else pytester.inline_genitems(pytester.makepyfile(source), *ALONE, *arguments)[0]
        )
        assert timeout_of(item) == seconds

    @pytest.mark.slow
    def test_a_comparison_ends_before_its_test_does_and_says_so(self, project):
        slow = "import pytest\n" + EQUAL.replace("def test", "@pytest.mark.timeout(20)\ndef test").replace(
            "config=CONFIG", "config=dataclasses.replace(CONFIG, seconds=60)"
        )
        result = project(test_it="import dataclasses\n" + slow)
        assert "Timeout" not in result.stdout.str()
        result.stdout.fnmatch_lines(["nqperf: *pytest-timeout ends the test after 20 s*raise its timeout"])


@pytest.mark.slow
def test_under_coverage_the_same_way_is_the_faster_and_it_is_said(project, pytester):
    pytest.importorskip("pytest_cov", reason="pytest-cov is not installed")
    lines = """
from nqperf.gate import GateConfig, PairedConfig

DATA = list(range(4000))
CONFIG = PairedConfig(gate=GateConfig(sets=3, rounds=2), seconds=5)

def lines():
    total = 0
    for value in DATA:
        more = value
        more = more * 3
        total = total + more
    return total

def calls():
    return sum(map(int.__mul__, DATA, [3] * 4000)) + 0 * sum(sorted(DATA, key=int.__neg__))

def test_calls(nqperf_paired): nqperf_paired(lines, calls, floor=None, config=CONFIG)
"""
    ratios = []
    for traced in (["--cov=.", "--cov-report="], []):
        project(*traced, "--nqperf-save-results=run.json", test_it=lines)
        row = read_results(pytester.path / "run.json").variants[-1]
        ratios.append(row.verdict.ratio)
        assert ("coverage" in str(row.observed.get("taken off while timed"))) == bool(traced)
    # Traced, the lines are some ten times slower and the calls are not.
    assert ratios[0] < 3 * ratios[1]
