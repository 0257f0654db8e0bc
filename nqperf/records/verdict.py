"""From the judge's word on each row to the verdict on the run, and the record of both."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from nqperf.errors import ConfigError
from nqperf.records.doubts import planted_share
from nqperf.records.results import Control, Controls, Outcome, RunOutcome, Verdict
from nqperf.statistics.planning import FEWEST_ROUNDS, MOST_ROUNDS
from nqperf.statistics.sets import Row
from nqperf.statistics.verdicts import JudgeConfig, RowVerdict

JUDGED: frozenset[Outcome] = frozenset({"PASS", "FAIL", "INCONCLUSIVE"})
_NOT_MEASURED = "not measured"
_POWER = 0.84  # in standard errors: four of five
_UNWANTED: tuple[Literal["FAIL", "INCONCLUSIVE"], ...] = ("FAIL", "INCONCLUSIVE")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """How a run is judged, and how much is measured for it.

    Fields:
        judge: What counts as a slowdown, and how sure a verdict is.
        sets: Sets of fresh processes at most; None is as many as decide every row, or fit the time.
        rounds: Rounds of each set; None is a number by what starts and rounds take.

    Raises: ConfigError when a number is out of range.
    """

    judge: JudgeConfig = field(default_factory=JudgeConfig)
    sets: int | None = None
    rounds: int | None = None

    def __post_init__(self) -> None:
        for name in ("sets", "rounds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected 1 or more")

    def limited(self, pairs: int) -> GateConfig:
        """Return the same gate with at most so many rounds of each row, over as many sets as confirm a verdict.

        >>> limited = GateConfig().limited(40)
        >>> limited.sets, limited.rounds
        (5, 8)

        Raises: ConfigError when `pairs` is below 1.
        """
        if pairs < 1:
            raise ConfigError(f"{pairs} rounds; expected 1 or more")
        wanted = self.judge.first_look + self.judge.confirming
        rounds = max(1, min(MOST_ROUNDS, pairs // wanted))
        return dataclasses.replace(self, rounds=rounds, sets=max(1, pairs // rounds))


REFERENCE_GATE = GateConfig()
# For local work: the fewest sets that a verdict is reached on, of few rounds; more INCONCLUSIVE, as strict about FAIL.
QUICK_GATE = GateConfig(sets=JudgeConfig().first_look + JudgeConfig().confirming, rounds=FEWEST_ROUNDS)


def verdict_of(
    found: RowVerdict, row: Row, *, pairs: int, set_seconds: float | None, family: int, config: JudgeConfig
) -> Verdict:
    """Return the record of `found`, what the judge says of a `row` that was measured in at least one set.

    `pairs` are its rounds in all sets, `set_seconds` what one more set takes, None where nobody asks for more, `family`
    how many rows are judged, and `config` how they are.
    """
    assert found.ratio is not None, "a row with a set has a ratio"  # noqa: S101
    finds = None
    if row.floor is not None and found.sd is not None:
        error = math.hypot(found.sd / math.sqrt(found.sets), row.floor.sd)
        finds = slowdown_found(error=error, freedom=row.floor.freedom, family=family, config=config)
    more = None if set_seconds is None or found.more_sets is None else found.more_sets * set_seconds
    return Verdict(
        outcome=found.outcome,
        pairs=pairs,
        floor=row.floor.ratio if row.floor else 1.0 if row.role == "same" else None,
        ratio=found.ratio,
        interval=found.interval,
        confidence=config.confidence,
        sets=found.sets,
        total_ratio=found.total_ratio,
        by_total=found.by_total,
        floor_sd=row.floor.sd if row.floor else 0.0,
        sd=found.sd,
        scatters=found.scatters,
        p_fail=found.p_fail,
        p_pass=found.p_pass,
        finds=finds,
        more_seconds=more,
    )


def slowdown_found(*, error: float, freedom: float, family: int, config: JudgeConfig) -> float:
    """Return the slowdown against a floor, as a share, that is found in about four of five runs.

    `error` is the standard error of the log ratio and of the floor together, with so many degrees of `freedom`;
    `family` is the number of rows that are judged, `config` how sure a slowdown must be. Both of the judge's tests must
    be passed, by the margin that chance leaves.
    """
    from scipy import special

    freedom = max(1.0, min(freedom, 1e6))
    sure, lax = (
        float(special.stdtrit(freedom, 1 - alpha)) for alpha in (config.red_runs / family, config.beyond_alpha)
    )
    needed = max(sure * error, math.log(config.fail_margin) + lax * error) + _POWER * error
    return math.expm1(needed)


def too_slow(floor: float | None, times: float, config: JudgeConfig) -> Verdict:
    """Return the verdict on a row that was ended since it is more than `times` times slower than the baseline.

    `floor` is the speed-up that was promised, None where nothing was; `config` says how far below it is a FAIL.
    """
    return Verdict(
        outcome="REPORTED" if floor is None else "FAIL" if 1 / times < floor / config.fail_margin else "INCONCLUSIVE",
        pairs=0,
        floor=floor,
        ratio=1 / times,
        interval=None,
        confidence=config.confidence,
        sets=0,
        at_most=True,
    )


def control_faults(controls: Controls) -> tuple[str, ...]:
    """Return why a run with these `controls` cannot be trusted, one line each; empty when it can.

    The baseline against itself must not come out as another speed, nor the planted work as another size. What the
    noise leaves open is no fault: the rows' own intervals are as wide.
    """
    faults = []
    if _outcome(controls.same) == "FAIL":
        faults.append(f"the baseline against itself has the ratio {_ratio(controls.same)}: the machine is not steady")
    if _outcome(controls.planted) == "FAIL":
        planted = controls.planted.planted if controls.planted else 0.0
        faults.append(
            f"work of {planted:.0%} of the baseline's time was planted, and the ratio is {_ratio(controls.planted)}; "
            f"expected about {1 / (1 + planted):.3f}"
        )
    return tuple(faults)


def _outcome(control: Control | None) -> str:
    return control.verdict.outcome if control else _NOT_MEASURED


def _ratio(control: Control | None) -> str:
    return "unknown" if control is None else f"{control.verdict.ratio:.3f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The verdict on a whole run: its `outcome`, and the `reasons`, one line each, the worst first.

    So many comparisons were `judged` of those `expected`.
    """

    outcome: RunOutcome
    judged: int
    expected: int
    reasons: tuple[str, ...] = ()


def judge_run(
    outcomes: Mapping[str, Outcome],
    *,
    expected: Collection[str],
    controls: Controls,
    failed: Collection[str] = (),
    proves_nothing: str | None = None,
    interrupted: bool = False,
) -> RunVerdict:
    """Return the verdict on a run from `outcomes`, by name the final one of each row that was measured and found right.

    `failed` are rows that were wrong, had no effect, died or hung: each makes the run a FAIL. `expected` names every
    row that should be judged: one that the time did not reach leaves the run INCONCLUSIVE. A run in which nothing was
    measured is a FAIL. `controls` with another answer than the known one make it INVALID, whatever else was found.
    `proves_nothing` says why equal answers would be no evidence here: nothing passes then. `interrupted` says that
    somebody, and not the time, ended the run.
    """
    judged = sum(outcome in JUDGED for outcome in outcomes.values())
    # The worst first: the first one is the run's outcome.
    findings: list[tuple[RunOutcome, str]] = [("INVALID", fault) for fault in control_faults(controls)]
    if failed:
        findings.append(("FAIL", f"failed: {', '.join(sorted(failed))}"))
    if not outcomes and not failed:
        what_to_do = "let it run on" if interrupted else "give a larger --budget, or ask for fewer rows"
        findings.append(("FAIL", f"nothing was measured; expected at least one row: {what_to_do}"))
    missing = sorted(name for name in expected if outcomes.get(name) not in JUDGED and name not in failed)
    if missing:
        reached = len(expected) - len(missing)
        not_judged = f"judged {reached} of {len(expected)} expected rows; not reached: {', '.join(missing)}"
        findings.append(("INCONCLUSIVE", not_judged))
    for kind in _UNWANTED:
        names = sorted(name for name, outcome in outcomes.items() if outcome == kind)
        if names:
            findings.append((kind, f"{kind}: {', '.join(names)}"))
    findings.sort(key=lambda finding: _ORDER.index(finding[0]))
    if proves_nothing and judged:
        findings.append(("INCONCLUSIVE", proves_nothing))
    outcome: RunOutcome = findings[0][0] if findings else "PASS" if judged else "REPORTED"
    reasons = [reason for _, reason in findings]
    if proves_nothing and not judged:
        reasons.append(proves_nothing)
    if outcomes and _outcome(controls.planted) not in {"PASS", "FAIL"}:
        reasons.append(_hidden(controls.planted))
    return RunVerdict(outcome=outcome, judged=judged, expected=len(expected), reasons=tuple(reasons))


def _hidden(planted: Control | None) -> str:
    """Return what it means that a `planted` slowdown was not found."""
    if planted is None:
        return "no planted slowdown was measured: nothing shows what could be told on this machine"
    if planted.verdict.interval is None:
        return f"one set of processes cannot show that a planted slowdown{planted_share(planted)} would be found here"
    return (
        f"noise hides a planted slowdown{planted_share(planted)} on this machine: a difference of that size is not "
        "told, and ratios are as rough as their intervals"
    )


# The worst first.
_ORDER: tuple[RunOutcome, ...] = ("INVALID", "FAIL", "INCONCLUSIVE", "PASS", "REPORTED")
# 2 is left to bad input, as everywhere in nqperf.
_STATUS: dict[RunOutcome, int] = {"PASS": 0, "REPORTED": 0, "FAIL": 1, "INCONCLUSIVE": 3, "INVALID": 4}


def exit_status(outcome: RunOutcome, *, allow_inconclusive: bool = False) -> int:
    """Return the exit status of a run by its `outcome`: 0 passed or only reported, 1 FAIL, 3 INCONCLUSIVE, 4 INVALID.

    INCONCLUSIVE is 0 with `allow_inconclusive`.
    """
    return 0 if allow_inconclusive and outcome == "INCONCLUSIVE" else _STATUS[outcome]
