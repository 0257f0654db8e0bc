"""From paired times to a verdict on one variant, and from all verdicts to the verdict on the run.

With d = ln(variant seconds * floor / baseline seconds), the slowdown against the promise, a look at n pairs says
FAIL when d > ln 1.02 is significant, PASS when d < ln 1.05 is, and goes on otherwise. The shown interval is the same
test inverted, so it reads like the verdict: FAIL means that all of it lies below floor / 1.02, PASS that all of it
lies above floor / 1.05.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from nqperf.errors import ConfigError
from nqperf.records.results import Control, Controls, Outcome, RunOutcome, Verdict
from nqperf.statistics import signed_rank
from nqperf.statistics.signed_rank import FloatArray

JUDGED: frozenset[Outcome] = frozenset({"PASS", "FAIL", "INCONCLUSIVE"})
_NOT_MEASURED = "not measured"
_UNWANTED: tuple[Literal["FAIL", "INCONCLUSIVE"], ...] = ("FAIL", "INCONCLUSIVE")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """When to look, and what counts as a slowdown; margins are factors of time above the promised one.

    With `alpha` a look, each kind of wrong verdict has at most `len(looks) * alpha` probability for exchangeable pairs.
    Raises: ConfigError when a value is out of range or the first look is too early to reach `alpha`.
    """

    looks: tuple[int, ...] = (20, 80, 320)
    alpha: float = 0.0033
    fail_margin: float = 1.02
    pass_margin: float = 1.05

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:  # noqa: PLR2004  # at one half every sample is significant
            raise ConfigError(f"alpha is {self.alpha}; expected above 0 and below 0.5")
        if not 1 <= self.fail_margin <= self.pass_margin < math.inf:
            raise ConfigError(
                f"fail margin {self.fail_margin} and pass margin {self.pass_margin}; expected 1 <= fail <= pass"
            )
        if not self.looks or any(later <= earlier for earlier, later in zip(self.looks, self.looks[1:], strict=False)):
            raise ConfigError(f"looks are {self.looks}; expected one or more growing numbers of pairs")
        fewest = signed_rank.fewest_pairs(self.alpha)
        if self.looks[0] < fewest:
            raise ConfigError(
                f"the first look is at {self.looks[0]} pairs, where no result can reach alpha {self.alpha}; "
                f"expected {fewest} or more"
            )

    @property
    def last_look(self) -> int:
        """The number of pairs at which a verdict without significance becomes INCONCLUSIVE."""
        return self.looks[-1]

    def sooner(self) -> GateConfig:
        """Return the same gate with a first look as early as the quick gate's, where its own is later."""
        first = QUICK_GATE.looks[0]
        return dataclasses.replace(self, looks=(first, *self.looks)) if first < self.looks[0] else self

    def limited(self, pairs: int) -> GateConfig:
        """Return the same gate with `pairs` as its last look.

        Raises: ConfigError when `pairs` are too few to reach alpha.
        """
        return dataclasses.replace(self, looks=(*(look for look in self.looks if look < pairs), pairs))


REFERENCE_GATE = GateConfig()
# For local work: ends four to eight times earlier, at the price of more INCONCLUSIVE; as strict about a wrong FAIL.
QUICK_GATE = GateConfig(looks=(10, 20, 40))


def judge(
    baseline_seconds: Sequence[float] | FloatArray,
    variant_seconds: Sequence[float] | FloatArray,
    floor: float | None,
    config: GateConfig = REFERENCE_GATE,
    *,
    time_is_up: bool = False,
) -> Verdict | None:
    """Return the verdict on the pairs so far, None where more have to be taken: between looks, or when a look is open.

    At the last look, or when the time is up, what is still open is INCONCLUSIVE. Without a floor nothing is judged: the
    ratio is REPORTED at the first look whose interval is no wider than the pass margin.

    Shapes: both [n], pair i in one round. Units: seconds. Raises: ConfigError when the lengths differ, a time is not a
    finite number above 0, the floor is not, or there are more pairs than the last look has.
    """
    baseline, variant = _seconds("baseline", baseline_seconds), _seconds("variant", variant_seconds)
    pairs = len(baseline)
    if pairs != len(variant):
        raise ConfigError(f"{pairs} baseline times and {len(variant)} variant times; expected one of each a round")
    if not 1 <= pairs <= config.last_look:
        raise ConfigError(f"{pairs} pairs; expected from 1 to {config.last_look}, the last look")
    if floor is not None and not 0 < floor < math.inf:
        raise ConfigError(f"floor is {floor}; expected a finite speed-up above 0")
    speedup = np.log(baseline) - np.log(variant)
    bounds = signed_rank.interval(speedup, config.alpha)
    look = _Look()
    if pairs in config.looks:
        look = _report(bounds, config) if floor is None else _test(math.log(floor) - speedup, config)
    outcome = look.outcome
    if outcome is None and (time_is_up or pairs == config.last_look):
        outcome = "REPORTED" if floor is None else "INCONCLUSIVE"
    if outcome is None:
        return None
    return Verdict(
        outcome=outcome,
        pairs=pairs,
        floor=floor,
        ratio=math.exp(float(np.median(speedup))),
        interval=None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1])),
        confidence=1 - 2 * config.alpha,
        p_fail=look.p_fail,
        p_pass=look.p_pass,
    )


class _Look(NamedTuple):
    """What a look decides, None where it stays open, and the p-values of its two tests."""

    outcome: Outcome | None = None
    p_fail: float | None = None
    p_pass: float | None = None


def _report(bounds: tuple[float, float] | None, config: GateConfig) -> _Look:
    low, high = bounds or (-math.inf, math.inf)
    return _Look("REPORTED" if high - low <= math.log(config.pass_margin) else None)


def _test(slowdown: FloatArray, config: GateConfig) -> _Look:
    """Test the log slowdowns against the promise."""
    p_fail = signed_rank.p_value(slowdown - math.log(config.fail_margin), "greater")
    p_pass = signed_rank.p_value(slowdown - math.log(config.pass_margin), "less")
    # Between the margins both can be significant: slower than promised, by less than 5 %. That is a FAIL, so that a
    # regression of 3 % does not depend on which of two true statements is read first.
    if p_fail <= config.alpha:
        return _Look("FAIL", p_fail, p_pass)
    return _Look("PASS" if p_pass <= config.alpha else None, p_fail, p_pass)


def has_to_repeat(verdict: Verdict) -> bool:
    """Return whether a verdict has to repeat in fresh processes: a FAIL, and a PASS of a ratio below its floor.

    Two processes of one program differ by a constant (memory layout, thread placement), which no number of pairs
    within them averages out, and the one that was started last tends to be faster: by 1.2 % on two Zen 5 cores.
    """
    below = verdict.floor is not None and verdict.ratio < verdict.floor
    return verdict.outcome == "FAIL" or (verdict.outcome == "PASS" and below)


def confirm(first: Verdict, repeat: Verdict) -> Verdict:
    """Return the verdict after `repeat` was reached by fresh processes: a FAIL stands only if both failed.

    A FAIL that does not repeat was the processes', and the repeat's outcome holds. A PASS below the floor, first or
    second, stands only if both passed.
    Raises: ConfigError when there is nothing to confirm, the repeat was not judged, or the floors differ.
    """
    if not has_to_repeat(first):
        raise ConfigError(f"the first verdict is {first.outcome} at {first.ratio}; expected one that has to repeat")
    if repeat.outcome not in JUDGED or repeat.floor != first.floor:
        raise ConfigError(
            f"the repeat is {repeat.outcome} against floor {repeat.floor}; expected a judgement against {first.floor}"
        )
    if first.outcome == repeat.outcome:
        return msgspec.structs.replace(repeat, processes=first.processes + repeat.processes)
    alone = first.outcome == "PASS" or (repeat.outcome == "PASS" and has_to_repeat(repeat))
    return msgspec.structs.replace(repeat, outcome="INCONCLUSIVE") if alone else repeat


def control_faults(controls: Controls, *, has_floor: bool = True, late: bool = False) -> tuple[str, ...]:
    """Return why a run with these controls cannot be trusted, one line each; empty when it can.

    Both are to be judged against floor 1.0, the baseline against itself confirmed like any variant. Where no row
    `has_floor`, noise that hides the planted slowdown is nobody's fault, nor is a run that was too `late` to measure
    it, and no verdict hangs on it.
    """
    same, planted = _outcome(controls.same), _outcome(controls.planted)
    excused = set() if has_floor else {"INCONCLUSIVE", *([_NOT_MEASURED] if late else [])}
    faults = []
    if same not in {"PASS", "INCONCLUSIVE", *excused}:
        faults.append(f"the baseline against itself is {same}; expected no FAIL")
    if planted not in {"FAIL", *excused}:
        faults.append(f"the planted slowdown is {planted}; expected FAIL")
    return tuple(faults)


def _outcome(control: Control | None) -> str:
    return control.verdict.outcome if control else _NOT_MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The verdict on a whole run: its outcome, how many comparisons were judged of those expected, and the reasons."""

    outcome: RunOutcome
    judged: int
    expected: int
    reasons: tuple[str, ...] = ()


def judge_run(
    outcomes: Mapping[str, Outcome], *, expected: Collection[str], controls: Controls, late: bool = False
) -> RunVerdict:
    """Return the verdict on a run from the final outcome of each variant that was measured and found right.

    `expected` names every variant that should be judged: selected, able to run here, and with a floor. One that is
    missing in `outcomes` (its worker died, its answers were wrong) makes the run a FAIL, and so does an empty run.
    Controls with another answer than the known one make it INVALID, whatever else was found. Where nothing was
    expected, a planted slowdown that noise hides is only told, and so is what a run that was `late` did not reach.
    """
    judged = sum(outcome in JUDGED for outcome in outcomes.values())
    faults = control_faults(controls, has_floor=judged > 0 or bool(expected), late=late)
    # The worst first: the first one is the run's outcome.
    findings: list[tuple[RunOutcome, str]] = [("INVALID", fault) for fault in faults]
    missing = sorted(name for name in expected if outcomes.get(name) not in JUDGED)
    if missing:
        not_judged = f"judged {judged} of {len(expected)} expected comparisons; not judged: {', '.join(missing)}"
        findings.append(("FAIL", not_judged))
    if not outcomes and (expected or not late):
        findings.append(("FAIL", "nothing was measured; expected at least one variant"))
    for kind in _UNWANTED:
        names = sorted(name for name, outcome in outcomes.items() if outcome == kind)
        if names:
            findings.append((kind, f"{kind}: {', '.join(names)}"))
    outcome: RunOutcome = findings[0][0] if findings else "PASS" if judged else "REPORTED"
    if not outcomes and not findings:
        findings.append(("REPORTED", "the time was up before anything was measured: give it more"))
    elif not faults and _outcome(controls.planted) == _NOT_MEASURED:
        findings.append(("REPORTED", "the time was up before the controls were measured: take the ratios as rough"))
    elif not faults and _outcome(controls.planted) != "FAIL":
        findings.append(("REPORTED", "noise hides a planted slowdown on this machine: take the ratios as rough"))
    return RunVerdict(
        outcome=outcome, judged=judged, expected=len(expected), reasons=tuple(reason for _, reason in findings)
    )


# 2 is left to bad input, as everywhere in nqperf.
_STATUS: dict[RunOutcome, int] = {"PASS": 0, "REPORTED": 0, "FAIL": 1, "INCONCLUSIVE": 3, "INVALID": 4}


def exit_status(outcome: RunOutcome, *, allow_inconclusive: bool = False) -> int:
    """Return the exit status of a run: 0 passed or report-only, 1 FAIL, 3 INCONCLUSIVE (0 if allowed), 4 INVALID."""
    return 0 if allow_inconclusive and outcome == "INCONCLUSIVE" else _STATUS[outcome]


def _seconds(role: str, values: Sequence[float] | FloatArray) -> FloatArray:
    """Return `values` as an array, all of them finite and above 0."""
    seconds = np.asarray(values, dtype=np.float64)
    if seconds.ndim != 1:
        raise ConfigError(f"{role} times have shape {seconds.shape}; expected one time a round")
    bad = np.flatnonzero(~(np.isfinite(seconds) & (seconds > 0)))
    if len(bad):
        raise ConfigError(f"{role} time {bad[0]} is {seconds[bad[0]]} s; expected a finite number above 0")
    return seconds
