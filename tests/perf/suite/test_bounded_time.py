"""The suite ends within its budget on a slow machine and on a fast one, which a worker that sleeps stands for."""

import dataclasses
import time

import pytest

from nqperf.perf.suite.suite import SuiteConfig, run_suite
from nqperf.records.results import BASELINE
from tests.documents import river_examples, write_lines
from tests.perf.workers.asleep import fall_asleep

ROWS = ("eager", "grappler_off", "grappler", "xla", "xla_grappler", "mixed_float16")


@pytest.fixture
def run(model_folder, tmp_path, monkeypatch):
    """Return a function that runs the suite on a machine so many times as slow, and the wall time that it took."""
    fall_asleep(monkeypatch)
    data = write_lines(tmp_path / "rivers.jsonl", river_examples(5))
    config = SuiteConfig.from_options(model=model_folder, data=data, batch_size=1, max_seq_length=48)

    def once(factor, budget, rows=ROWS, **changes):
        monkeypatch.setenv("SLEEPY_FACTOR", str(factor))
        asked = dataclasses.replace(config.only((BASELINE, *rows)), budget=budget, seed=1, **changes)
        started = time.monotonic()
        found = run_suite(asked)
        return found.results, time.monotonic() - started

    return once


@pytest.mark.slow
def test_a_machine_that_is_fast_enough_decides_every_row_of_all_examples(run):
    results, seconds = run(1.0, 60.0, ROWS[:2])
    assert seconds < 60
    assert results.given_up == ()
    assert {row.status for row in results.variants} == {"measured"}
    assert all(row.verdict.sets >= 3 for row in results.variants if row.name != BASELINE)
    assert all(row.verdict.interval[0] < 1 < row.verdict.interval[1] for row in results.variants[1:])
    assert results.data.counts["examples"] == 5
    assert results.controls.planted.verdict.outcome == "PASS"
    assert len({one.order for one in results.sets}) > 1
    assert all(len(one.baseline_seconds) == len(one.rounds) for one in results.sets)
