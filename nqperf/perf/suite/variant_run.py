"""What became of one variant: all that was found of it, also where it failed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nqperf.engines.state import EngineState
from nqperf.errors import NqPerfError, OutOfTimeError
from nqperf.perf.measuring.rounds import PairedResult
from nqperf.perf.suite.parity import Answers
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.records.results import Agreement, Status, Switch, Usage, VariantResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """How a worker came to be ready; units: seconds."""

    loaded: protocol.Loaded
    trace_seconds: float
    warm_up_seconds: float


@dataclass(slots=True, kw_only=True)
class VariantRun:
    """What was found of a variant, in the order in which it is: None for what was not reached before `failure`.

    The baseline is not paired with itself, so it has no `paired` and no `agreement` either. What was `has_floor` of a
    variant and is not judged for lack of time has failed; without a promise it is only not judged. `model` says which
    it ran, where that is not the run's.
    """

    variant: Variant
    has_floor: bool = False
    model: Mapping[str, Switch] = field(default_factory=dict)
    loaded: Warmed | None = None
    observed: EngineState | None = None
    predict_seconds: float | None = None
    usage: Usage | None = None
    answers: Answers | None = None
    agreement: Agreement | None = None
    paired: PairedResult | None = None
    failure: NqPerfError | None = None

    def require_paired(self) -> PairedResult:
        """Return the times of a variant that did not fail.

        Raises: its failure.
        """
        if self.failure is not None:
            raise self.failure
        assert self.paired is not None, "the baseline has none"  # noqa: S101
        return self.paired

    def _status(self) -> Status:
        if self.failure is None:
            return "measured"
        return "unjudged" if isinstance(self.failure, OutOfTimeError) and not self.has_floor else "failed"

    def record(self) -> VariantResult:
        """Return the row of the run's record."""
        return VariantResult(
            name=self.variant.name,
            status=self._status(),
            reason=str(self.failure) if self.failure else None,
            requested={**self.model, **self.variant.requested()},
            observed=self.observed.record() if self.observed else {},
            agreement=self.agreement,
            trace_seconds=self.loaded.trace_seconds if self.loaded else None,
            warm_up_seconds=self.loaded.warm_up_seconds if self.loaded else None,
            predict_seconds=self.predict_seconds,
            usage=self.usage,
            samples=self.paired.samples if self.paired else (),
            verdict=self.paired.verdict if self.paired else None,
            metrics=dict(self.answers.metrics) if self.answers else {},
        )
