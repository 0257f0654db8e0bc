"""Inner sessions of pytest against a base: each row's test ends as the comparison says, in one record."""

import json

import msgspec
import pytest

from nqperf.formats.results.revisions_json import read_revisions
from nqperf.perf.revisions import suite
from nqperf.perf.revisions.suite import default_rows
from nqperf.records.revisions import ComparedRow, Judged, MeasuredSet, RevisionResults, RevisionSide
from nqperf.report.comment import MARK, comment
from nqperf.report.revisions import headline
from tests import runs
from tests.inner_sessions import ALONE, InnerSession

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("default::pytest.PytestWarning")


def row(name, word="SAME", ratio=1.0, **changes):
    outcome = {"SLOWER": "FAIL", "INCONCLUSIVE": "INCONCLUSIVE"}.get(word, "PASS")
    judged = Judged(
        measure="time",
        word=word,
        ratio=ratio,
        interval=(ratio - 0.007, ratio + 0.007),
        margin=0.02,
        base=0.2,
        change=0.2 * ratio,
        sets=3,
    )
    sets = MeasuredSet(
        seed=1, how="duet", order=("base",), base=(0.2, 0.2), change=(0.2 * ratio,) * 2, starts=(4.0, 4.0)
    )
    reasons = (f"time: {100 * (ratio - 1):.1f} % more",) if outcome == "FAIL" else ()
    whole = ComparedRow(
        name=name, outcome=outcome, reasons=reasons, agreement=runs.agreement(), judged=(judged,), sets=(sets,)
    )
    return msgspec.structs.replace(whole, **changes)


def results(*rows):
    outcomes = [one.outcome for one in rows]
    return RevisionResults(
        command="",
        created="2026-01-02T03:04:05Z",
        fingerprint=runs.FINGERPRINT,
        base=RevisionSide(label="main"),
        change=RevisionSide(label="the working tree"),
        outcome=next(one for one in ("FAIL", "INCONCLUSIVE", "PASS") if one in outcomes),
        rows=rows,
    )


@pytest.fixture
def session(pytester, monkeypatch):
    inner = InnerSession(pytester, monkeypatch)
    asked = []

    def run(found, *arguments):
        monkeypatch.setattr(suite, "compare_suite", lambda given, *_: asked.append(given) or found)
        base = ("--nqperf-base-path", str(inner.path)) if "--nqperf-base" not in arguments else ()
        return pytester.runpytest_inprocess(*ALONE, "benchmarks", *base, *arguments)

    run.asked, run.path = asked, inner.path
    return run


def test_without_names_the_baseline_and_the_stages_have_tests(session):
    result = session(results(*map(row, default_rows())))
    result.assert_outcomes(passed=7)
    assert result.ret == pytest.ExitCode.OK
    assert session.asked[0].variants == default_rows()
    result.stdout.fnmatch_lines(["PASS: 7 rows no slower than main, answers the same"])


def test_each_row_comes_to_its_own_end(session):
    absent = row("xla", outcome=None, judged=(), sets=(), note="the base fails: no compiler")
    found = results(row("baseline"), row("answer", "SLOWER", 1.1), row("read", "INCONCLUSIVE", 1.01), absent)
    names = ("--nqperf-variants", "baseline,answer,read,xla")
    result = session(found, *names)
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*answer: 10.0 % slower than main (9.3 .. 10.7)*"])
    result.stdout.fnmatch_lines(["INCONCLUSIVE: read: not sure*; more time decides it, --nqperf-allow-inconclusive*"])
    result.stdout.fnmatch_lines(["FAIL: answer 10.0 % slower than main (9.3 .. 10.7)*"])
    assert session(found, *names, "--nqperf-allow-inconclusive").parseoutcomes()["xfailed"] == 1


def test_many_rows_that_are_not_decided_are_counted():
    """A sentence over 23 rows that named each was four lines long, and the table has the names."""
    unsure = [row(name, "INCONCLUSIVE", 1.01) for name in ("baseline", "xla", "eager", "answer")]
    slow = row("read", "SLOWER", 1.1)
    assert headline(results(*unsure, slow)).startswith(
        "read 10.0 % slower than main (9.3 .. 10.7), not sure of 4 rows whether slower than main, "
    )
    faster = row("xla", "FASTER", 0.5)
    assert headline(results(faster, slow)).startswith(
        "read 10.0 % slower than main (9.3 .. 10.7), xla 50.0 % faster than "
    )
    assert headline(results(*unsure[:3])).startswith("baseline not sure whether slower than main: +1.0 %")


def test_the_record_is_written_and_times_are_handed_on(session):
    out, times = session.path / "gate.json", session.path / "times.json"
    found = results(row("baseline"), row("answer", "SLOWER", 1.1))
    session(found, "--nqperf-variants", "baseline,answer", "--nqperf-save-results", out, "--benchmark-json", times)
    assert read_revisions(out) == found
    saved = {one["param"]: one["stats"]["rounds"] for one in json.loads(times.read_text())["benchmarks"]}
    assert saved == {"baseline": 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nqperf-rounds", "9"), "*--nqperf-rounds has no effect beside a base*"),
        (("--nqperf-base", "main", "--nqperf-base-path", "."), "*both given*"),
    ],
    ids=str,
)
def test_options_that_cannot_be_met_are_one_line(session, arguments, said):
    result = session(results(row("baseline")), *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    (result.stderr if "effect" in said else result.stdout).fnmatch_lines([said])


def test_a_margin_needs_a_base(pytester, monkeypatch):
    InnerSession(pytester, monkeypatch)
    result = pytester.runpytest_inprocess(*ALONE, "benchmarks", "--nqperf-margin", "0.1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--nqperf-margin has no effect without a base*"])


def test_a_comment_is_found_again_and_is_no_longer_than_a_comment_may_be():
    found = results(row("baseline", "SLOWER", 1.049))
    text = comment(found)
    assert text.startswith(MARK)
    assert headline(found) == "4.9 % slower than main (4.2 .. 5.6), answers the same"
    assert "4.9 % slower than main" in text
    long = results(row("baseline", reasons=("x" * 70_000,), outcome="FAIL"))
    assert len(comment(long)) < 65_536


@pytest.mark.slow
def test_a_builder_is_held_to_another_revision_in_a_test(pytester, monkeypatch):
    InnerSession(pytester, monkeypatch)
    work = "def build():\n    return lambda: sum(range({}))\n"
    (pytester.mkdir("old") / "work.py").write_text(work.format(20_000))
    (pytester.path / "work.py").write_text(work.format(20_000))
    pytester.makepyfile(
        test_speed="def test_speed(nqperf_paired):\n    nqperf_paired('work:build', margin=0.9, budget=60)\n"
    )
    arguments = ("--nqperf-base-path", "old", "--nqperf-allow-inconclusive")
    result = pytester.runpytest_inprocess(*ALONE, "test_speed.py", *arguments)
    outcomes = result.parseoutcomes()
    assert outcomes.get("passed", 0) + outcomes.get("xfailed", 0) == 1
    (pytester.path / "old" / "work.py").write_text(work.format(10_000))
    result = pytester.runpytest_inprocess(*ALONE, "test_speed.py", *arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*work:build: the answers differ: 1 of 1 values differ*"])


def test_a_change_cannot_let_its_undecided_rows_pass(session):
    (session.path / "pyproject.toml").write_text("[tool.nqperf]\nallow_inconclusive = true\n")
    (session.path / "old").mkdir()
    undecided, row_alone = results(row("baseline", "INCONCLUSIVE")), ("--nqperf-variants", "baseline")
    same_files = session(undecided, *row_alone)
    assert same_files.parseoutcomes()["xfailed"] == 1
    of_the_base = session(undecided, *row_alone, "--nqperf-base-path", "old")
    assert of_the_base.parseoutcomes()["failed"] == 1
    typed = session(undecided, *row_alone, "--nqperf-base-path", "old", "--nqperf-allow-inconclusive")
    assert typed.parseoutcomes()["xfailed"] == 1
