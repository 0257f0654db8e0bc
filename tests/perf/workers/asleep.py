"""Runs of the suite with workers that sleep: for what is the suite's own, whatever its workers compute."""

import dataclasses

from nqperf.perf.suite import baseline
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.workers import process
from tests.perf.machine.machines import ZEN_5


def fall_asleep(monkeypatch, factor=1.0):
    """Let workers sleep for so many times as long as a made-up machine computes; no row has an effect there."""
    monkeypatch.setenv("SLEEPY_FACTOR", str(factor))
    monkeypatch.setattr(process, "WORKER", "tests.perf.workers.sleepy_worker")
    monkeypatch.setattr(baseline, "look_at_machine", lambda *_, **__: ZEN_5)
    for name, row in VARIANTS.items():
        monkeypatch.setitem(VARIANTS, name, dataclasses.replace(row, effects=()))
