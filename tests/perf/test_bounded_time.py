"""The suite ends within its budget on a slow machine and on a fast one, which a worker that sleeps stands for."""

import dataclasses
import time

import pytest

from nqperf.errors import OutOfTimeError
from nqperf.gate.records import BASELINE
from nqperf.gate.verdict import GateConfig, exit_status
from nqperf.perf.suite import SuiteConfig, run_suite
from nqperf.perf.variant_run import VariantRun
from nqperf.perf.variants import VARIANTS
from tests.documents import river_examples, write_lines
from tests.perf.asleep import fall_asleep

ROWS = ("eager", "grappler_off", "grappler", "xla", "xla_grappler", "mixed_float16")


@pytest.fixture
def run(model_folder, tmp_path, monkeypatch):
    """Return a function that runs the suite on a machine so many times as slow, and the wall time that it took."""
    fall_asleep(monkeypatch)
    data = write_lines(tmp_path / "rivers.jsonl", river_examples(5))
    config = SuiteConfig(
        model=model_folder, data=str(data), gate=GateConfig(looks=(10,)), batch_size=1, max_seq_length=48
    )

    def once(factor, budget, rows=ROWS):
        monkeypatch.setenv("SLEEPY_FACTOR", str(factor))
        started = time.monotonic()
        found = run_suite(dataclasses.replace(config, budget=budget, variants=rows)).results
        return found, time.monotonic() - started

    return once


def test_a_machine_ten_times_as_fast_judges_every_row_of_all_examples(run):
    results, seconds = run(0.1, 40.0, ROWS[:2])
    assert seconds < 40
    assert results.given_up == ()
    assert {row.status for row in results.variants} == {"measured"}
    assert all(row.verdict.pairs == 10 for row in results.variants if row.name != BASELINE)
    assert results.data.counts["examples"] == 5


def test_a_machine_four_times_as_slow_ends_in_time_and_says_what_it_gave_up(run):
    results, seconds = run(4.0, 9.0)
    assert seconds < 9
    judged = [row for row in results.variants if row.verdict]
    unjudged = [row for row in results.variants if row.status == "unjudged"]
    assert judged
    assert unjudged
    assert len(judged) + len(unjudged) == len(ROWS)
    assert all(row.verdict.pairs == 10 for row in judged)
    assert all("not judged: out of time" in row.reason for row in unjudged)
    assert results.given_up[-1] == f"not judged, for the time was up: {', '.join(row.name for row in unjudged)}"
    # Nothing was promised here, so nobody is at fault.
    assert exit_status(results.outcome) == 0, results.reasons


def test_all_examples_are_answered_on_a_slow_machine_that_has_the_time(run):
    # A fifth of the time would be too little for the five, and the pairs need less than the rest.
    results, seconds = run(4.0, 16.0, ROWS[:1])
    assert seconds < 16
    assert results.given_up == ()
    assert results.data.counts["examples"] == 5
    assert {row.status for row in results.variants} == {"measured"}


def test_fewer_examples_are_answered_where_all_of_them_take_too_long(run):
    results, seconds = run(10.0, 8.0, ROWS[:1])
    assert seconds < 8
    assert 0 < results.data.counts["examples"] < 5
    assert results.given_up[0].startswith(f"answered {results.data.counts['examples']} of 5 examples")


def test_a_promise_that_the_time_does_not_allow_to_judge_is_broken():
    late = OutOfTimeError("not judged: out of time")
    kept, broken = (VariantRun(variant=VARIANTS["xla"], promised=promised, failure=late) for promised in (False, True))
    assert (kept.record().status, broken.record().status) == ("unjudged", "failed")
