"""What became of one variant: all that was found of it, also where it failed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nqperf.engines.state import EngineState
from nqperf.errors import NqPerfError, OutOfTimeError
from nqperf.perf.suite.parity import Answers
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.records.results import Agreement, Pairs, Status, Switch, Usage, VariantResult, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """How a worker came to be ready; units: seconds.

    Fields:
        loaded: What it said when the model was loaded.
        trace_seconds: Tracing the graph.
        warm_up_seconds: The batches that come before any that is timed.
        first_batch: The last of these.
    """

    loaded: protocol.Loaded
    trace_seconds: float
    warm_up_seconds: float
    first_batch: float


@dataclass(slots=True, kw_only=True)
class VariantRun:
    """What was found of a variant; None for what was not reached.

    Fields:
        variant: The row.
        model: What the record says of the model, where it is not the run's.
        warmed: How its first process came to be ready.
        observed: The states that its switches were seen in.
        predict_seconds: One pass over the data.
        usage: What that took of the system.
        answers: What it answered.
        agreement: How far that agrees with the baseline.
        note: What else is to be said of it, such as answers that too few examples can tell of.
        failure: Why the row failed: wrong answers, a switch without effect, a worker that died or hung.
        kept: The row as an earlier start of the same run recorded it.
    """

    variant: Variant
    model: Mapping[str, Switch] = field(default_factory=dict)
    warmed: Warmed | None = None
    observed: EngineState | None = None
    predict_seconds: float | None = None
    usage: Usage | None = None
    answers: Answers | None = None
    agreement: Agreement | None = None
    note: str | None = None
    failure: NqPerfError | None = None
    kept: VariantResult | None = None

    def record(
        self, samples: tuple[Pairs, ...] = (), verdict: Verdict | None = None, note: str | None = None
    ) -> VariantResult:
        """Return the row of the run's record, with its times, the verdict on them, and what else is to be said.

        `samples` are its times in each set, `verdict` is None where nothing was judged, and `note` goes before the
        row's own.
        """
        status: Status = "measured"
        if self.failure is not None:
            status = "unjudged" if isinstance(self.failure, OutOfTimeError) else "failed"
        said: dict[str, Any] = {
            "status": status,
            "reason": str(self.failure) if self.failure else None,
            "samples": samples,
            "verdict": None if status == "unjudged" else verdict,
            "note": note or self.note,
        }
        if self.kept is not None and self.warmed is None:
            return msgspec.structs.replace(self.kept, **said)
        return VariantResult(
            name=self.variant.name,
            requested={**self.model, **self.variant.requested()},
            observed=self.observed.record() if self.observed else {},
            agreement=self.agreement,
            trace_seconds=self.warmed.trace_seconds if self.warmed else None,
            warm_up_seconds=self.warmed.warm_up_seconds if self.warmed else None,
            predict_seconds=self.predict_seconds,
            usage=self.usage,
            metrics=dict(self.answers.metrics) if self.answers else {},
            **said,
        )
