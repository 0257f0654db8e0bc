"""From what a session found and the judge's words to the rows, the controls and the verdict of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from nqperf.engines.probe import Machine
from nqperf.errors import OutOfTimeError
from nqperf.perf.measuring.budget import SLOWER, Budget
from nqperf.perf.measuring.limits import TooSlowError
from nqperf.perf.measuring.looks import Measurement, controls_of, row_verdicts
from nqperf.perf.suite.parity import MICRO_F1
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.variant import Variant
from nqperf.records.doubts import PROVES_NOTHING
from nqperf.records.results import BASELINE, Controls, VariantResult, Verdict
from nqperf.records.verdict import QUICK_GATE, RunVerdict, judge_run, too_slow
from nqperf.statistics.sets import Floor
from nqperf.statistics.verdicts import RowVerdict

_NOT_REACHED = "not measured: out of time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of rows before they are measured.

    `machine` is the one that they run on, `absent` says why some cannot run there, `floors` what some promise.
    """

    machine: Machine
    absent: Mapping[str, str]
    floors: Mapping[str, Floor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a run has come to so far.

    Fields:
        rows: Every row but the baseline.
        controls: The two controls.
        expected: The rows that should be judged: those with a floor that can run here.
        decided: The rows that no further set would change.
    """

    rows: tuple[VariantResult, ...]
    controls: Controls
    expected: frozenset[str]
    decided: frozenset[str]

    @classmethod
    def of(
        cls,
        session: Session,
        measured: Measurement,
        variants: Sequence[Variant],
        known: Known,
    ) -> Outcomes:
        """Return what the sets, `measured`, and the `session` come to.

        `variants` are the rows but the baseline; `known` says which of them cannot run here, and what others promise.
        """
        verdicts = row_verdicts(measured)
        rows = []
        for variant in variants:
            if variant.name in known.absent:
                rows.append(skipped_row(variant, known.absent[variant.name]))
                continue
            rows.append(row_of(session.run_of(variant), verdicts.get(variant.name), measured, known))
        judgement = measured.judgement
        return cls(
            rows=tuple(rows),
            controls=controls_of(measured, verdicts, session.planted),
            expected=frozenset(known.floors) & {one.name for one in variants if one.name not in known.absent},
            decided=frozenset(row.name for row in judgement.rows if row.decided) if judgement else frozenset(),
        )

    def is_done(self, row: VariantResult) -> bool:
        """Return whether nothing more comes of `row`."""
        return row.status in {"failed", "skipped"} or row.name in self.decided

    def verdict(self, *, proves_nothing: str | None, interrupted: bool) -> RunVerdict:
        """Return the verdict on the run.

        `proves_nothing` says why equal answers would be no evidence, None where they are; `interrupted` whether
        somebody ended it.
        """
        return judge_run(
            {row.name: row.verdict.outcome for row in self.rows if row.verdict and row.status == "measured"},
            expected=self.expected,
            controls=self.controls,
            failed=[row.name for row in self.rows if row.status == "failed"],
            proves_nothing=proves_nothing,
            interrupted=interrupted,
        )

    def unreached(self, session: Session) -> Iterator[str]:
        """Yield a line on the rows that the budget of the `session` did not reach."""
        names = [row.name for row in self.rows if row.status == "unjudged"]
        if names:
            answers = SLOWER * len(names) * (session.runs[BASELINE].predict_seconds or 0.0)
            yield unreached_text(names, session.budget, session.set_seconds(len(names)) + answers)


def unreached_text(names: Sequence[str], budget: Budget, least: float) -> str:
    """Return that the rows `names` were not measured, and which budget in place of this `budget` reaches them.

    `least` is what they would take, in seconds.
    """
    them = "them" if names[1:] else "it"
    return f"not measured, for the time was up (--budget {budget.enough(least):g} reaches {them}): {', '.join(names)}"


def short_of_sets(measured: Measurement) -> Iterator[str]:
    """Yield why no further set was taken, where `measured` ended with rows that it does not tell from the baseline.

    The time was up, or as many sets were taken as were asked for. Nothing is said where the run takes what it needs.
    """
    budget, taken = measured.budget, len(measured.estimates)
    ended = measured.interrupted or measured.broken or math.isinf(budget.left())
    if ended or not any(map(_untold, measured.judgement.rows if measured.judgement else ())):
        return
    left = f"{max(0.0, budget.left()):.0f} of {budget.seconds:g} s were left"
    least = measured.set_seconds(tuple(measured.starts))
    if measured.passes >= measured.most:
        quick = measured.gate == QUICK_GATE
        most = f"the {measured.most} of --quick are taken (without it more fit)" if quick else f"{taken} were asked for"
        yield f"a further set of processes: {most}, and {left}"
    elif budget.left() < least:
        what, room = "a further set of processes", ""
        if taken == 1:
            what, room = (
                "a second set of processes, which gives intervals",
                f" (--budget {budget.enough(least):g} has room)",
            )
        yield f"{what}: it takes about {least:.0f} s here, and {left}{room}"


def _untold(row: RowVerdict) -> bool:
    """Return whether what was measured of a `row` leaves open whether it is slower or faster, or what was planted."""
    if row.role == "same" or row.outcome in {"PASS", "FAIL"}:
        return False
    return row.interval is None or row.interval[0] <= 1 <= row.interval[1]


def heads_fault(session: Session) -> str | None:
    """Return that no answers of the model of this `session` prove anything, None where its heads were trained."""
    if session.folder.settings.heads != "new":
        return None
    return (
        f"the heads of this model were never trained: that its answers are the same {PROVES_NOTHING}; train them "
        "(nqperf train --start MODEL, see docs/training.md) or convert a checkpoint whose heads are trained"
    )


def evidence_fault(session: Session) -> str | None:
    """Return why equal answers would prove nothing in this `session`, None where they do."""
    if untrained := heads_fault(session):
        return untrained
    answers = session.baseline_answers()
    if not answers.metrics[MICRO_F1] > 0:
        return (
            f"the baseline's micro-F1 is 0: that other answers are no worse {PROVES_NOTHING}; take a model that "
            "answers this data, or train it (nqperf train --start MODEL, see docs/training.md)"
        )
    return None


def row_of(run: VariantRun, verdict: Verdict | None, measured: Measurement, known: Known) -> VariantResult:
    """Return the record of `run`: its `verdict` with what was `measured`, by what is `known` of rows."""
    name = run.variant.name
    samples, lost = measured.samples(name), measured.lost.get(name)
    if isinstance(lost, TooSlowError) and verdict is None and lost.times is not None:
        ratio = known.floors[name].ratio if name in known.floors else None
        cause = run.variant.slow_because(known.machine)
        note = f"{lost}; {cause}" if cause else str(lost)
        return run.record(verdict=too_slow(ratio, lost.times, measured.gate.judge), note=note)
    if verdict is None or not isinstance(lost, OutOfTimeError):  # what the end of the time cut off has its sets still
        run.failure = run.failure or lost
    if run.failure is None and verdict is None:
        return VariantResult(
            name=run.variant.name, status="unjudged", reason=_NOT_REACHED, requested=run.variant.requested()
        )
    return _explained(run.record(samples, verdict), run.variant.products_alone(known.machine))


def _explained(row: VariantResult, cause: str | None) -> VariantResult:
    """Return `row` with how fast the products in its type are alone, the `cause`, where it did not come out faster.

    Whether it is slower the row's verdict says, and the run's controls; the products were timed at another moment.
    """
    verdict = row.verdict
    if cause is None or verdict is None or cause in (row.note or ""):
        return row
    # One set has no interval, and people ask why all the same.
    low = verdict.interval[0] if verdict.interval is not None else verdict.ratio
    if low >= 1:
        return row
    return msgspec.structs.replace(row, note="; ".join(filter(None, (row.note, f"timed before the rows: {cause}"))))


def skipped_row(variant: Variant, reason: str) -> VariantResult:
    """Return the record of `variant`, which does not run here, for `reason`."""
    return VariantResult(name=variant.name, status="skipped", reason=reason, requested=variant.requested())
