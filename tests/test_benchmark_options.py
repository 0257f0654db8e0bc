"""Every option of pytest-benchmark beside the gate, alone and in pairs: done, or refused in a line before the suite."""

import json
import re
from itertools import combinations

import pytest
from pytest_benchmark.plugin import pytest_addoption
from pytest_benchmark.stats import Stats

from nqperf.formats.results.results_json import read_results
from nqperf.perf.machine.fingerprint import take_fingerprint
from tests import runs
from tests.inner_sessions import ONLY_XLA, InnerSession, good

pytest_plugins = ["pytester"]
# Inner sessions take over this one's filters; each says itself what becomes of warnings.
pytestmark = pytest.mark.filterwarnings("default::pytest.PytestWarning")

HARMLESS = {
    **{f"--benchmark-{name}": "" for name in ("disable-gc", "enable", "only", "autosave", "save-data")},
    **{f"--benchmark-{name}": "" for name in ("verbose", "quiet", "netrc", "compare")},
    "--benchmark-min-time": "0.01",
    "--benchmark-max-time": "0.1",
    "--benchmark-min-rounds": "2",
    "--benchmark-precision": "0.1",
    "--benchmark-confidence": "0.9",
    "--benchmark-timer": "time.time",
    "--benchmark-calibration-precision": "5",
    "--benchmark-warmup": "on",
    "--benchmark-warmup-iterations": "3",
    "--benchmark-save": "mine",
    "--benchmark-json": "out.json",
    "--benchmark-cprofile": "tottime",
    "--benchmark-cprofile-loops": "auto",
    "--benchmark-cprofile-top": "3",
    "--benchmark-cprofile-dump": "profiles/one",
    "--benchmark-storage": "file://.benchmarks",
    "--benchmark-sort": "name",
    "--benchmark-group-by": "param:nqperf_variant",
    "--benchmark-columns": "min,ops,outliers",
    "--benchmark-name": "short",
    "--benchmark-time-unit": "ms",
    "--benchmark-histogram": "drawn/times",
}
# These end the session before, or without, what the others do.
DECIDING = {"--benchmark-disable": "", "--benchmark-skip": "", "--benchmark-compare-fail": "median:5%"}
STATES = ("nothing saved", "saved", "broken", "no numbers", "foreign")
ROWS = 8


def known_options():
    """Return the names of pytest-benchmark's options, as it declares them."""
    names = []

    class Parser:
        def getgroup(self, _name):
            return self

        def addoption(self, name, **_settings):
            names.append(name)

    pytest_addoption(Parser())
    return names


def arguments(names):
    return [f"{name}={value}" if value else name for name, value in {**HARMLESS, **DECIDING}.items() if name in names]


def covering_rows(names):
    """Return rows of options in which every two occur together, each without the other, and neither.

    Each option is in half of the rows, the first among them, and no two in the same ones (Kleitman and Spencer, 1973).
    """
    columns = [{0, *others} for others in combinations(range(1, ROWS), ROWS // 2 - 1)]
    assert len(names) <= len(columns)
    return [[name for name, rows in zip(names, columns, strict=False) if row in rows] for row in range(ROWS)]


def saved_run(state):
    """Return the text of a saved run of the gate's two tests, or None."""
    stats = Stats()
    stats.update(0.1)
    stats.update(0.2)
    tests = [
        {
            "fullname": f"benchmarks/test_variants.py::test_variant[{name}]",
            "stats": {**stats.as_dict(), "iterations": 1},
            "extra_info": {"ratio": 1.25} if name == "xla" else {},
        }
        for name in ("baseline", "xla")
    ]
    if state == "no numbers":
        tests[1]["stats"]["median"] = None
    device = "gpu: 1 x Another" if state == "foreign" else take_fingerprint().device_key
    whole = json.dumps({"machine_info": {}, "nqperf_device": device, "benchmarks": tests})
    return {"nothing saved": None, "broken": whole[: len(whole) // 2]}.get(state, whole)


@pytest.fixture
def session(pytester, monkeypatch):
    return InnerSession(pytester, monkeypatch)


def lay_out(session, state):
    for path in session.saved_files():
        path.unlink()
    text = saved_run(state)
    if text is not None:
        folder = session.path / ".benchmarks"
        folder.mkdir(exist_ok=True)
        (folder / "0001_before.json").write_text(text)


def one_line(result, *, verbose=False):
    """Return whether a refusal is a line, and nothing else where pytest-benchmark was not asked to tell more."""
    pattern = r"(^|\n)ERROR: [^\n]+\n+"
    return (re.search if verbose else re.fullmatch)(
        pattern, result.stderr.str()
    ) and "= nqperf" not in result.stdout.str()


def run_without_traceback(session, names, state, warnings, results=None):
    """Run the gate with these options; return the result, which is no traceback whatever it is."""
    lay_out(session, state)
    result = session(results or good(), *ONLY_XLA, "-W", warnings, *arguments(names))
    shown = result.stdout.str() + result.stderr.str()
    told = f"{names} with {state}:\n{shown}"
    assert "Traceback" not in shown, told
    assert "INTERNALERROR" not in shown, told
    if result.ret == pytest.ExitCode.USAGE_ERROR:
        assert one_line(result, verbose="--benchmark-verbose" in names), told
        assert "test_variants.py" not in result.stdout.str(), told  # nothing was run
    else:
        assert result.ret == pytest.ExitCode.OK or re.search(r"^(nqperf|FAIL|INVALID): ", shown, re.MULTILINE), told
    return result


def test_every_option_is_walked():
    assert set(known_options()) <= {*HARMLESS, *DECIDING}


def test_the_rows_hold_every_pair_in_every_way():
    rows = covering_rows(list(HARMLESS))
    for one, other in combinations(HARMLESS, 2):
        assert {(one in row, other in row) for row in rows} == {
            (True, True),
            (True, False),
            (False, True),
            (False, False),
        }


@pytest.mark.parametrize("warnings", ["error", "default"])
@pytest.mark.parametrize("row", range(ROWS))
def test_no_pair_of_options_ends_in_a_traceback(session, row, warnings):
    names = covering_rows([name for name in HARMLESS if name in known_options()])[row]
    compared = "--benchmark-compare" in names
    states = STATES if compared else STATES[:2]
    for state in states if warnings == "error" else states[::2]:
        result = run_without_traceback(session, names, state, warnings)
        refused = compared and state in {"broken", "no numbers", "foreign"}
        assert result.ret == (pytest.ExitCode.USAGE_ERROR if refused else pytest.ExitCode.OK), (names, state)


@pytest.mark.parametrize("deciding", [*combinations(DECIDING, 1), *combinations(DECIDING, 2), tuple(DECIDING)])
def test_those_that_decide_do_not_either(session, deciding):
    everything = [name for name in HARMLESS if name in known_options() and name != "--benchmark-enable"]
    for names in (["--benchmark-compare"], everything):
        for state in STATES[:2]:
            run_without_traceback(session, [*names, *deciding], state, "error")


def test_a_run_that_fails_does_not_either(session):
    slow, broken = runs.run(runs.measured("xla", 0.9, 1.1)), runs.run(runs.broken("xla"))
    invalid = good(controls=(1.0, 1.0))
    for results in (slow, broken, invalid):
        for names in (list(HARMLESS), ["--benchmark-compare"]):
            result = run_without_traceback(session, names, "nothing saved", "error", results)
            assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert bool(session.saved_files()) == (results is not invalid)  # the baseline's times, or nothing


# The first comparison, and the next.


@pytest.mark.parametrize("warnings", ["error", "default"])
def test_comparing_saves_the_first_run_and_compares_the_next(session, warnings):
    first = session(good(), *ONLY_XLA, "--benchmark-compare", "-W", warnings)
    assert first.ret == pytest.ExitCode.OK
    (path,) = session.saved_files()
    first.stdout.fnmatch_lines(["xla *PASS", f"NOTHING WAS COMPARED: no run was saved in *{path.stem[5:]}*next*"])

    second = session(good(), *ONLY_XLA, "--benchmark-compare", "-W", warnings)
    assert second.ret == pytest.ExitCode.OK
    ratio = good().variant("xla").verdict.ratio
    second.stdout.fnmatch_lines(
        [
            f"compared with the saved run *{path.stem}.json:",
            "variant *saved ratio *ratio *factor *saved time *time",
            "baseline *- *- *- *99.8 ms *99.8 ms",
            f"xla *{ratio:.3f} *{ratio:.3f} *1.000 *83.4 ms *83.4 ms",
        ]
    )
    assert session.saved_files() == [path]


def test_a_first_run_with_nothing_to_keep_says_so(session):
    result = session(good(controls=(1.0, 1.0)), *ONLY_XLA, "--benchmark-compare")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["NOTHING WAS COMPARED*not saved*"])
    assert session.saved_files() == []


def test_compare_fail_needs_a_saved_run(session):
    for names, message in (
        (["--benchmark-compare", "--benchmark-compare-fail"], "*no run is saved in*--benchmark-compare alone*"),
        (["--benchmark-compare-fail"], "*needs --benchmark-compare*"),
    ):
        result = run_without_traceback(session, names, "nothing saved", "error")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([message])


def test_a_regression_is_a_line_and_exit_code_1(session):
    slower = runs.run(runs.measured("xla", 1.0, 0.9))
    assert session(good(), *ONLY_XLA, "--benchmark-autosave").ret == 0
    result = session(slower, *ONLY_XLA, "--benchmark-compare", "--benchmark-compare-fail=median:5%")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["nqperf: pytest-benchmark: Performance has regressed."])
    result.stderr.fnmatch_lines(["*test_variant?xla?*has failed PercentageRegressionCheck*"])


# Values that cannot be met.


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--benchmark-compare=0007", "*no run is saved in*under that name"),
        ("--benchmark-compare=a/b/c", "*a/b/c*"),
    ],
)
def test_a_run_that_is_not_there_is_one_line(session, option, message):
    result = session(good(), *ONLY_XLA, "-W", "error", *option.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert one_line(result)


@pytest.mark.parametrize(
    "option",
    [
        "--benchmark-json=absent/out.json",
        "--benchmark-group-by=taste",
        "--benchmark-group-by=param:taste",
        "--benchmark-storage=conftest.py --benchmark-autosave",
    ],
)
def test_what_pytest_benchmark_cannot_do_at_the_end_is_a_line_below_the_whole_table(session, option):
    result = session(good(), *ONLY_XLA, "-W", "error", "--nqperf-save-results=run.json", *option.split())
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["xla *PASS", "nqperf: pytest-benchmark: *"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert read_results(session.path / "run.json") == good()


def test_a_path_taken_for_a_run(session):
    result = session(good(), "--benchmark-compare", "benchmarks", path=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pytest benchmarks --benchmark-compare*"])


def test_a_foreign_machine(session):
    assert session(good(), *ONLY_XLA, "--benchmark-autosave").ret == 0
    (path,) = session.saved_files()
    saved = json.loads(path.read_text())
    here = saved["nqperf_device"]
    for device in ("gpu: 1 x Another", None):
        saved["nqperf_device"] = device
        path.write_text(json.dumps(saved))
        result = session(good(), *ONLY_XLA, "--benchmark-compare")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*another device*nqperf compare*"])
    del saved["nqperf_device"]
    saved["machine_info"]["nqperf_device"] = here  # where it stood before
    path.write_text(json.dumps(saved))
    assert session(good(), *ONLY_XLA, "--benchmark-compare").ret == 0
