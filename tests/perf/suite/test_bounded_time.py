"""The suite ends within its budget on a slow machine and on a fast one, which a worker that sleeps stands for."""

import dataclasses
import time

import pytest

from nqperf.errors import OutOfTimeError
from nqperf.formats.results.profiles_toml import read_profiles
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.suite import run_suite
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.floors import most_likely_first
from nqperf.perf.variants.table import VARIANTS
from nqperf.records.results import BASELINE
from nqperf.records.verdict import GateConfig, exit_status
from tests.documents import river_examples, write_lines
from tests.perf.workers.asleep import fall_asleep

ROWS = ("eager", "grappler_off", "grappler", "xla", "xla_grappler", "mixed_float16")


@pytest.fixture
def run(model_folder, tmp_path, monkeypatch):
    """Return a function that runs the suite on a machine so many times as slow, and the wall time that it took."""
    fall_asleep(monkeypatch)
    data = write_lines(tmp_path / "rivers.jsonl", river_examples(5))
    config = SuiteConfig(
        model=model_folder, data=str(data), gate=GateConfig(looks=(10,)), batch_size=1, max_seq_length=48
    )

    def once(factor, budget, rows=ROWS, **changes):
        monkeypatch.setenv("SLEEPY_FACTOR", str(factor))
        started = time.monotonic()
        found = run_suite(dataclasses.replace(config, budget=budget, **changes).only(rows)).results
        return found, time.monotonic() - started

    return once


def test_a_machine_ten_times_as_fast_judges_every_row_of_all_examples(run):
    results, seconds = run(0.1, 40.0, ROWS[:2])
    assert seconds < 40
    assert results.given_up == ()
    assert {row.status for row in results.variants} == {"measured"}
    assert all(row.verdict.pairs == 10 for row in results.variants if row.name != BASELINE)
    assert results.data.counts["examples"] == 5


@pytest.mark.slow
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


@pytest.mark.slow
def test_all_examples_are_answered_on_a_slow_machine_that_has_the_time(run):
    # A fifth of the time would be too little for the five, and the pairs need less than the rest.
    results, seconds = run(4.0, 16.0, ROWS[:1])
    assert seconds < 16
    assert results.given_up == ()
    assert results.data.counts["examples"] == 5
    assert {row.status for row in results.variants} == {"measured"}


@pytest.mark.slow
def test_fewer_examples_are_answered_where_all_of_them_take_too_long(run):
    results, seconds = run(10.0, 8.0, ROWS[:1])
    assert seconds < 8
    assert 0 < results.data.counts["examples"] < 5
    assert results.given_up[0].startswith(f"answered {results.data.counts['examples']} of 5 examples")


@pytest.mark.slow
def test_a_machine_too_slow_for_a_late_first_look_looks_sooner_and_says_so(run):
    results, seconds = run(4.0, 16.0, ROWS[:4], gate=GateConfig(looks=(40, 80)))
    assert seconds < 16
    judged = [row for row in results.variants if row.verdict]
    assert len(judged) >= 2  # at 40 pairs of 50 ms and more, not even the controls would be
    assert all(10 <= row.verdict.pairs < 40 for row in judged)
    said = [line for line in results.given_up if line.startswith("looked at ratios after 10 pairs already, not 40")]
    assert len(said) == 1


@pytest.mark.slow
def test_a_machine_too_slow_for_the_controls_says_so_and_nobody_is_at_fault(run):
    results, seconds = run(30.0, 9.0, ROWS[:2])
    assert seconds < 9
    assert results.controls.planted is None
    assert {row.status for row in results.variants if row.name != BASELINE} == {"unjudged"}
    assert results.reasons[0] == "the time was up before anything was measured: give it more"
    assert any(reason.startswith("the controls: not judged: out of time") for reason in results.reasons)
    assert (results.outcome, exit_status(results.outcome)) == ("REPORTED", 0)


def test_the_rows_that_a_short_time_reaches_are_those_that_won_somewhere_or_were_never_seen_to_lose():
    profiles = [profile for profile in read_profiles() if profile.device.gpu is None]
    floors = {name: floor for profile in profiles for name, floor in profile.floors.items()}
    rows = [row.name for row in most_likely_first(list(VARIANTS.values()), on_gpu=False)]
    assert sorted(rows) == sorted(VARIANTS)
    assert [floors.get(name, 1.0) for name in rows] == sorted((floors.get(name, 1.0) for name in rows), reverse=True)
    assert rows.index("mixed_bfloat16") < rows.index("onednn_on") < rows.index("xla") < rows.index("eager")


def test_a_floor_that_the_time_does_not_allow_to_judge_is_missed():
    late = OutOfTimeError("not judged: out of time")
    kept, broken = (
        VariantRun(variant=VARIANTS["xla"], has_floor=has_floor, failure=late) for has_floor in (False, True)
    )
    assert (kept.record().status, broken.record().status) == ("unjudged", "failed")
