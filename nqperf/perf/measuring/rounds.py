"""Paired rounds: two ways to do the same work in turn, in reversed order every other round, until a look decides."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from nqperf.errors import OutOfTimeError
from nqperf.records.results import Control, Pairs, Verdict
from nqperf.records.verdict import GateConfig, confirm, has_to_repeat, judge

# Does the work of one round, by its number, and returns the seconds that it took.
TimedWork = Callable[[int], float]
NO_PAIRS = Pairs(baseline_seconds=(), variant_seconds=())


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsConfig:
    """How long to measure: looks and margins, and the seconds after which no further round begins."""

    gate: GateConfig
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The times of one set of processes, and what they say; `seconds` is the wall time that it took."""

    pairs: Pairs
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedResult:
    """What was measured of one comparison: each set of fresh processes, and the verdict after all of them."""

    all: tuple[Measured, ...]
    verdict: Verdict

    @property
    def samples(self) -> tuple[Pairs, ...]:
        """The times of each set."""
        return tuple(one.pairs for one in self.all)

    def control(self) -> Control:
        """Return the record of a comparison with a known answer."""
        return Control(samples=self.samples, verdict=self.verdict)


def settle(first: Measured, again: Callable[[], Measured], gate: GateConfig, *, fresh: bool = True) -> PairedResult:
    """Return the verdict of the first pairs; one that has to repeat is measured `again`, started the other way round.

    Where a PASS below the floor and a FAIL contradict each other, they are judged together, as many pairs of each, so
    that the orders in which their processes were started cancel: a FAIL is one then, and all else INCONCLUSIVE. So is a
    PASS that there is no time to repeat. Without `fresh` the repeat is in the same process: it averages over time but
    not over processes, and counts as one.
    Raises: what `again` raises, but for a PASS no OutOfTimeError.
    """
    if not has_to_repeat(first.verdict):
        return PairedResult(all=(first,), verdict=first.verdict)
    try:
        repeat = again()
    except OutOfTimeError:
        if first.verdict.outcome == "FAIL":
            raise
        return PairedResult(all=(first,), verdict=msgspec.structs.replace(first.verdict, outcome="INCONCLUSIVE"))
    verdict = confirm(first.verdict, repeat.verdict)
    outcomes = {first.verdict.outcome, repeat.verdict.outcome}
    if outcomes == {"PASS", "FAIL"} and verdict.outcome == "INCONCLUSIVE":
        verdict = _together(first.pairs, repeat.pairs, verdict, gate)
    return PairedResult(
        all=(first, repeat), verdict=verdict if fresh else msgspec.structs.replace(verdict, processes=1)
    )


def _together(first: Pairs, repeat: Pairs, open_verdict: Verdict, gate: GateConfig) -> Verdict:
    """Return the verdict on both sets of pairs, a FAIL or INCONCLUSIVE."""
    count = min(len(first.baseline_seconds), len(repeat.baseline_seconds))
    baseline, variant = (
        [*getattr(first, side)[:count], *getattr(repeat, side)[:count]]
        for side in ("baseline_seconds", "variant_seconds")
    )
    once = dataclasses.replace(gate, looks=(2 * count,))
    found = judge(baseline, variant, open_verdict.floor, once, time_is_up=True) or open_verdict
    outcome = "FAIL" if found.outcome == "FAIL" else "INCONCLUSIVE"
    return msgspec.structs.replace(found, outcome=outcome, processes=2)


def measure(
    baseline: TimedWork,
    variant: TimedWork,
    floor: float | None,
    config: RoundsConfig,
    progress: Callable[[int], None],
    taken: Pairs = NO_PAIRS,
) -> Measured:
    """Take pairs until a look decides or the time is up, which is INCONCLUSIVE and never a pass.

    Pairs that were `taken` before, fewer than the first look has, count as the first ones.
    Raises: OutOfTimeError when the time is up before the first look, for so few pairs say nothing; what the two raise.
    """
    started = time.perf_counter()
    times = (list(taken.baseline_seconds), list(taken.variant_seconds))
    while True:
        number = len(times[0])
        _take_round((baseline, variant), times)
        progress(number + 1)
        spent = time.perf_counter() - started
        if number + 1 not in config.gate.looks and spent < config.seconds:
            continue
        first_look = config.gate.looks[0]
        if number + 1 < first_look:
            raise OutOfTimeError(f"not judged: out of time: {number + 1} of {first_look} pairs in {spent:.0f} s")
        verdict = judge(times[0], times[1], floor, config.gate, time_is_up=spent >= config.seconds)
        if verdict is not None:
            pairs = Pairs(baseline_seconds=tuple(times[0]), variant_seconds=tuple(times[1]))
            return Measured(pairs=pairs, verdict=verdict, seconds=spent)


def take_pairs(baseline: TimedWork, variant: TimedWork, count: int) -> Pairs:
    """Return the times of `count` rounds, which say nothing of how sure their ratio is."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        _take_round((baseline, variant), times)
    return Pairs(baseline_seconds=tuple(times[0]), variant_seconds=tuple(times[1]))


def _take_round(works: tuple[TimedWork, TimedWork], times: tuple[list[float], list[float]]) -> None:
    """Take the next round; whatever drifts within one hits each of the two first as often as second."""
    number = len(times[0])
    for side in (0, 1) if number % 2 == 0 else (1, 0):
        times[side].append(works[side](number))
