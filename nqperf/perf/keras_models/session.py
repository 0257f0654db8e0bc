"""One user's model: its processes, what the baseline computes, and what each row is seen to do."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nqperf.casts.twins import called
from nqperf.engines.effects import SHARED, Effect
from nqperf.engines.state import EngineState
from nqperf.errors import ConfigError, NoEffectError, NqPerfError, ParityError, VariantError
from nqperf.perf.keras_models.config import KerasBenchConfig
from nqperf.perf.keras_models.outputs import (
    LIMIT,
    Outputs,
    Supply,
    check_outputs,
    compare_outputs,
    relative_limit,
)
from nqperf.perf.machine import resources
from nqperf.perf.machine.environment import Pages
from nqperf.perf.measuring.budget import SLOWER, Budget, Speed, batches_of_turn
from nqperf.perf.measuring.limits import Limits
from nqperf.perf.measuring.planting import PLANTED as PLANTED_SHARE
from nqperf.perf.measuring.sets import Start
from nqperf.perf.suite.processes import VariantProcess, Workshop
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import keras_worker, protocol
from nqperf.perf.workers.builder_worker import Output, Run
from nqperf.perf.workers.process import WorkerError
from nqperf.records.results import BASELINE, PLANTED, SAME
from nqperf.statistics.planning import FEWEST_ROUNDS, Cost
from nqperf.statistics.sets import Row

_SPEED_BATCHES = 3
CONTROLS = (SAME, PLANTED)
# Whose outputs are not the same twice in one process is no baseline.
_UNSTABLE = 1e-3


# Long: the steps of a session share its state, and stand in their order.
@dataclass(slots=True, kw_only=True)
class KerasSession:
    """One model, in which processes of rows are started, seen to do what they must, and compared.

    Fields:
        config: What is run.
        folder: Where the first process leaves inputs and weights for the others.
        batch_size: Rows run at once.
        budget: The seconds that there are.
        progress: Told the stage and the name of what is done.
        pages: The kind of memory pages that all processes ask for.
        speed: The machine's, as measured with the baseline.
        runs: What was found of each row.
        planted: The shares of a batch's time that were planted, as measured.
        pages_seen: The kind of pages that the baseline's memory was seen on.
        expected: What the baseline computes.
        workshop: Starts the processes.
        loaded: What the first process built.
    """

    config: KerasBenchConfig
    folder: Path
    batch_size: int
    budget: Budget
    progress: Callable[[str, str], None]
    pages: Pages = "huge"
    speed: Speed = field(default_factory=lambda: Speed(start=0.0, batch=0.0))
    runs: dict[str, VariantRun] = field(default_factory=dict)
    planted: list[float] = field(default_factory=list)
    pages_seen: str = "plain"
    expected: Outputs = field(default_factory=dict)
    workshop: Workshop = field(init=False)
    loaded: keras_worker.LoadedModel | None = None

    def __post_init__(self) -> None:
        self.workshop = Workshop(
            request=self._request,
            batch_size=self.batch_size,
            pages=self.pages,
            budget=self.budget,
            timeouts=self.config.suite.timeouts,
            told=lambda name: self.progress("start", name),
            module="nqperf.perf.workers.keras_worker",
            replies=keras_worker.Reply,
        )

    def start_baseline(self) -> EngineState:
        """Build the model for the first time, keep its inputs, weights and outputs, and measure this machine's speed.

        Raises: ConfigError for a model or inputs that cannot be used, WorkerError, VariantError, ParityError or
        OutOfTimeError when the baseline does not work.
        """
        with self.workshop.first_process():
            return self._first_look(VariantRun(variant=VARIANTS[BASELINE]))

    def _first_look(self, run: VariantRun) -> EngineState:
        """Start the baseline, note in `run` and here what it is, and return what it was seen to do."""
        self.runs[BASELINE] = run
        began = time.perf_counter()
        try:
            process = self.workshop.start(run.variant, None)
        except WorkerError as error:
            if error.fault is not None:
                raise ConfigError(error.fault) from error
            if self.config.inputs is None and error.request is protocol.FirstBatch:
                raise WorkerError(
                    f"{error} (inputs were drawn, {self.config.length} where a size is open: if it takes others, name "
                    "--max-seq-length SIZE, or real ones by --inputs FILE.npz)"
                ) from error
            raise
        try:
            ready = time.perf_counter() - began
            run.warmed = process.warmed
            loaded = process.warmed.loaded
            self.loaded = loaded if isinstance(loaded, keras_worker.LoadedModel) else None
            if self.loaded is not None and self.loaded.renamed and self.config.inputs is not None:
                run.note = f"{self.config.inputs.name}: {self.loaded.renamed}"
            seen = self.observe(run, process)
            self.pages_seen = resources.Pages(huge=seen.huge_page_bytes, resident=seen.resident_bytes).kind
            batch = min(process.batch(number) for number in range(_SPEED_BATCHES))
            self.speed = Speed(start=ready, batch=batch, batches=batches_of_turn(batch))
            self.workshop.batches = self.speed.batches
            self.workshop.limits = Limits.of(start=ready, batch=self.speed.batch)
            self.expected = self.outputs(process)
            self._require_steady(process)
        finally:
            process.end()
        return seen.states

    def _require_steady(self, process: VariantProcess) -> None:
        """Raise unless the baseline gives finite outputs, and the same ones twice.

        Raises: ParityError.
        """
        for name, values in self.expected.items():
            if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
                raise ParityError(
                    f"parity: {called(name)} is NaN or infinite in float32 already: give others by --inputs, or mend "
                    "the model first"
                )
        again = compare_outputs(self.expected, self.outputs(process))
        if again.details["relative_error"] > _UNSTABLE:
            raise ParityError(
                "parity: the baseline's outputs are others each time, so nothing can be compared: let the model draw "
                "nothing when it is called with training=False"
            )

    def outputs(self, process: VariantProcess) -> Outputs:
        """Return what `process` computes of all rows of the inputs, by the outputs' names."""
        found: Outputs = process.ask(Run(), Output, timeout=self.workshop.timeouts.predict).value()
        return found

    def observe(self, run: VariantRun, process: VariantProcess) -> protocol.ObservedStates:
        """Note in `run` what its `process` was seen to do.

        Raises: VariantError unless the row's switches are seen to have had their effect.
        """
        seen = process.observe()
        run.observed = seen.states
        variant = run.variant
        variant = dataclasses.replace(variant, effects=_expected_of(variant, seen.states))
        if absent := variant.without_effect(seen.states):
            raise NoEffectError(variant.name, absent)
        if elsewhere := variant.elsewhere(seen.states, self.runs[BASELINE].observed or seen.states):
            raise VariantError(f"{variant.name}: {elsewhere}")
        return seen

    def check(self, run: VariantRun, process: VariantProcess) -> None:
        """Compare the outputs of `process` with the baseline's, and note in `run` how far they agree.

        Raises: ParityError when they differ by more than the row tolerates.
        """
        self.progress("answers", run.variant.name)
        found = self.outputs(process)
        run.agreement = compare_outputs(self.expected, found)
        if limit := relative_limit(self.expected, run.variant.tolerance):
            details = {**run.agreement.details, LIMIT: limit}
            run.agreement = msgspec.structs.replace(run.agreement, details=details)
        said = check_outputs(self.expected, found, run.agreement, run.variant.tolerance, self._supply())
        run.note = f"{said}{_narrow_share(run)}"

    def _supply(self) -> Supply:
        """Return how many rows there are to compare."""
        loaded = self.loaded
        if loaded is None:
            return Supply()
        return Supply(given=loaded.given if self.config.inputs else None, batch_size=loaded.batch_size)

    def run_of(self, variant: Variant) -> VariantRun:
        """Return what is found of `variant`, from now on."""
        return self.runs.setdefault(variant.name, VariantRun(variant=variant))

    def could_run(self, name: str) -> bool:
        """Return whether a process of the row `name` was ever ready: one that was not cannot run this model."""
        run = self.runs.get(name)
        return run is not None and run.warmed is not None

    def starters(self, variants: Iterable[Variant]) -> dict[str, Start]:
        """Return what starts each row's process: the `variants`, then the controls."""
        baseline = VARIANTS[BASELINE]
        return {
            **{variant.name: self._starter(variant) for variant in variants},
            SAME: self._starter(baseline, name=SAME),
            PLANTED: self._starter(baseline, name=PLANTED, planted=PLANTED_SHARE),
        }

    def baseline_starter(self) -> Start:
        """Return what starts the baseline's process of a set."""
        return self._starter(VARIANTS[BASELINE])

    def _starter(self, variant: Variant, *, name: str | None = None, planted: float = 0.0) -> Start:
        def warm(process: VariantProcess) -> None:
            if planted:
                self.planted.append(process.plant(planted))

        return self.workshop.starter(variant, None, name=name, warm=warm)

    def judged_rows(self, variants: Iterable[Variant]) -> tuple[Row, ...]:
        """Return the `variants` as the judge is told of them: nothing is promised of what nobody measured before."""
        share = sum(self.planted) / len(self.planted) if self.planted else PLANTED_SHARE
        return (
            *(Row(name=variant.name) for variant in variants),
            Row(name=SAME, role="same"),
            Row(name=PLANTED, role="planted", planted=share),
        )

    def set_seconds(self, rows: int) -> float:
        """Return about how long a set of so many `rows` takes at least, with the controls, were all a little slower."""
        processes = 1 + len(CONTROLS) + rows
        cost = Cost(
            start_seconds=max(processes * self.speed.start, 1e-9),
            round_seconds=max((2 + len(CONTROLS) + SLOWER * rows) * self.speed.turn, 1e-9),
        )
        return cost.set_seconds(self.config.suite.gate.rounds or FEWEST_ROUNDS)

    def lost(self, name: str, error: NqPerfError) -> str | None:
        """Return why the row `name` is passed over after `error`: nobody asked for it; None where it is a failure."""
        if name in self.config.asked:
            return None
        if isinstance(error, NoEffectError) and name not in {row.name for row in self.config.suite.own}:
            return f"no effect here: {error.absent}"
        if self.could_run(name) or not isinstance(error, WorkerError):
            return None
        return f"cannot run this model: {error}"

    def _request(self, variant: Variant, _model: Any, batch_size: int) -> keras_worker.LoadModel:
        config = self.config
        return keras_worker.LoadModel(
            target=config.target,
            path=(str(Path.cwd()), *sys.path),
            settings=dict(variant.settings),
            folder=str(self.folder),
            first=self.loaded is None,
            batch_size=batch_size,
            rows=config.row_count(batch_size),
            length=config.length,
            data=str(config.inputs.resolve()) if config.inputs else "",
            vocabulary=config.vocabulary,
            inputs=config.specs,
            imports=config.imports,
        )


# A user's model may keep layers wide on purpose, such as the last one: some products in 16 bits are what shows.
_SOME_NARROW = Effect(
    shows="matrix products are in 16 bits",
    failure="no matrix product is in 16 bits: the builder does not take the policy (name a parameter precision)",
    holds=lambda seen: (seen.low_precision_matmul_share or 0) > 0,
)


def _expected_of(variant: Variant, seen: EngineState) -> tuple[Effect, ...]:
    """Return what a row must be seen to do; where there are no products, nothing of their type."""
    typed = {id(SHARED["wide"]), id(SHARED["narrow"])}
    narrow = any(effect is SHARED["narrow"] for effect in variant.effects)
    effects = [effect for effect in variant.effects if id(effect) != id(SHARED["narrow"])]
    if not seen.matmuls:
        return tuple(effect for effect in effects if id(effect) not in typed)
    return (*effects, _SOME_NARROW) if narrow else tuple(effects)


def _narrow_share(run: VariantRun) -> str:
    share = run.observed.low_precision_matmul_share if run.observed else None
    return f"; {share:.0%} of the matrix products in 16 bits" if share else ""
