"""Limits are made from the baseline's own seconds."""

import math

from nqperf.perf.measuring.limits import Limits


def test_a_row_may_take_twenty_times_the_baselines_seconds_and_a_moment_at_least():
    slow = Limits.of(start=10.0, batch=0.5)
    assert (slow.start, slow.first, slow.batch) == (200.0, 110.0, 10.0)
    assert slow.answers(20) == 200.0
    quick = Limits.of(start=0.1, batch=0.001)
    assert (quick.start, quick.first, quick.batch, quick.answers(3)) == (30.0, 33.0, 3.0, 30.0)
    assert quick.times_slower(quick.batch) == 3000.0
    assert slow.times_slower(slow.batch) == 20.0


def test_the_baseline_itself_has_none():
    assert math.inf in (Limits().start, Limits().batch)
