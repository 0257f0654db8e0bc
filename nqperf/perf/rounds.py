"""Paired rounds: two workers run the same batch in turn, in reversed order every other round, until a look decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nqperf.formats.results_json import Pairs, Verdict
from nqperf.perf import protocol
from nqperf.perf.process import WorkerProcess
from nqperf.perf.verdict import GateConfig, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsConfig:
    """How long to measure: looks and margins, and the seconds after which a pair of workers gets no further round."""

    gate: GateConfig
    seconds: float
    batch_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The times of one set of processes, and what they say; `seconds` is the wall time that it took."""

    pairs: Pairs
    verdict: Verdict
    seconds: float


def measure(
    baseline: WorkerProcess,
    variant: WorkerProcess,
    floor: float | None,
    config: RoundsConfig,
    progress: Callable[[int], None],
) -> Measured:
    """Take pairs until a look decides or the time is up, which is INCONCLUSIVE and never a pass.

    Raises: WorkerError when one of the two fails.
    """
    started = time.perf_counter()
    times: tuple[list[float], list[float]] = ([], [])
    while True:
        number = len(times[0])
        # Whatever drifts within a round hits each of the two first as often as second.
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            worker = (baseline, variant)[side]
            reply = worker.ask(protocol.TimeBatch(number=number), protocol.Timed, timeout=config.batch_timeout)
            times[side].append(reply.seconds)
        progress(number + 1)
        spent = time.perf_counter() - started
        if number + 1 not in config.gate.looks and spent < config.seconds:
            continue
        verdict = judge(times[0], times[1], floor, config.gate, time_is_up=spent >= config.seconds)
        if verdict is not None:
            pairs = Pairs(baseline_seconds=tuple(times[0]), variant_seconds=tuple(times[1]))
            return Measured(pairs=pairs, verdict=verdict, seconds=spent)
