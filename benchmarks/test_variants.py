"""The suite: every variant answers as the baseline does, and is as fast as this device's profile promises."""

from __future__ import annotations


def test_variant(nqperf_variant, nqperf_gate):
    nqperf_gate(nqperf_variant)
