"""The session: one model and task, the baseline's speed and answers, and what the variants' processes show of them."""

# Long: one session from its start to its record, in order.
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from nqperf.engines.state import EngineState
from nqperf.errors import ParityError, VariantError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.nq.example import Prediction
from nqperf.nq.logits import MODEL_OUTPUTS, Logits
from nqperf.perf.machine import resources
from nqperf.perf.machine.environment import Pages
from nqperf.perf.measuring.budget import SLOWER, Budget, Speed, batches_of_turn
from nqperf.perf.measuring.limits import DEFAULT_TIMEOUTS, Limits, Timeouts
from nqperf.perf.measuring.planting import PLANTED as PLANTED_SHARE
from nqperf.perf.measuring.sets import Start
from nqperf.perf.suite.challenger import Challenger, score_change
from nqperf.perf.suite.parity import Answers, Task, agreement, check_answers, score_predictions
from nqperf.perf.suite.processes import VariantProcess, WorkerStarter, Workshop
from nqperf.perf.suite.task import features_request
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.plain_text import counted
from nqperf.records.results import BASELINE, PLANTED, SAME, Agreement, VariantResult
from nqperf.records.verdict import GateConfig
from nqperf.statistics.planning import FEWEST_ROUNDS, Cost
from nqperf.statistics.sets import Floor, Row

_SPEED_BATCHES = 3
# More sets than a verdict takes at least, for which the time is kept: busy machines start processes later and slower.
_SPARE_SETS = 0.5
# Batches that a model answers whose answers prove nothing: enough to see that a row answers, and the same.
_UNTRAINED = 4
CONTROLS = (SAME, PLANTED)
# A process that is right the second time too gives the same logits, but for the rounding of its own type: of their
# spread, so much may change.
_AGAIN = {"exact": 1e-3, "sixteen_bit": 0.1, "eight_bit": 0.1}


# Long: the steps of a session share its state, and stand in their order.
@dataclass(slots=True, kw_only=True)
class Session:
    """One model and task, in which processes of variants are started, seen to do what they must, and answer.

    Fields:
        folder: The model.
        baseline: The row that the others are held to, by the baseline's name.
        task: What is answered: of the examples as many as the budget allows.
        batch_size: Windows run at once, where a variant has no number of its own.
        gate: How rows are judged, and how much is measured for it.
        budget: The seconds that there are.
        timeouts: Seconds that a worker may take for each step at the most.
        progress: Told the stage and the name of what is done.
        challenger: A second model, which runs in rows of its own and need not give the same answers.
        pages: The kind of memory pages that all processes ask for.
        on_gpu: Whether the baseline computes on a GPU.
        speed: The machine's, as measured with the baseline.
        runs: What was found of each row.
        predictions: What each row answered.
        planted: The shares of a batch's time that were planted, as measured in each process.
        pages_seen: The kind of pages that the baseline's memory was seen on.
        most_answers: How many examples an undecided row answers in all, after the sets; None for the task's alone.
        workshop: What starts the processes.
    """

    folder: OpenedModel
    task: Task
    batch_size: int
    gate: GateConfig
    budget: Budget
    progress: Callable[[str, str], None]
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    challenger: Challenger | None = None
    pages: Pages = "plain"
    baseline: Variant = field(default_factory=lambda: VARIANTS[BASELINE])
    on_gpu: bool = False
    speed: Speed = field(default_factory=lambda: Speed(start=0.0, batch=0.0))
    runs: dict[str, VariantRun] = field(default_factory=dict)
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    planted: list[float] = field(default_factory=list)
    pages_seen: str = "plain"
    most_answers: int | None = None
    workshop: Workshop = field(init=False)
    _first: VariantProcess | None = None

    def __post_init__(self) -> None:
        # Every process has the same features, whichever of them are answered: so they time the same batches.
        self.workshop = Workshop(
            request=features_request(self.task.features),
            batch_size=self.batch_size,
            pages=self.pages,
            budget=self.budget,
            timeouts=self.timeouts,
            told=lambda name: self.progress("start", name),
        )

    def __enter__(self) -> Session:  # noqa: PYI034  # typing.Self is newer than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.end_baseline()

    @property
    def seconds(self) -> dict[str, float]:
        """The wall time spent in models, and in starting processes."""
        return self.workshop.seconds

    def set_pages(self, pages: Pages) -> None:
        """Let all processes that are started from now on ask for memory pages of this kind, `pages`."""
        self.pages = self.workshop.pages = pages

    def start_baseline(self) -> EngineState:
        """Start the baseline, measure how fast this machine is with it, and return what it was seen to do.

        The process stays until `end_baseline`; none of its times count for a row.
        Raises: WorkerError, VariantError or OutOfTimeError when the baseline does not work.
        """
        with self.workshop.first_process():
            return self._first_look(VariantRun(variant=self.baseline))

    def _first_look(self, run: VariantRun) -> EngineState:
        """Start the baseline, note in `run` and here what it is, and return what it was seen to do."""
        self.runs[BASELINE] = run
        if self.on_gpu:
            # The first process on a GPU may compile all kernels and load the driver: no other one does that again.
            self.start(run.variant, name="warm-up").end()
        began = time.perf_counter()
        process = self._first = self.start(run.variant)
        ready = time.perf_counter() - began
        run.warmed = process.warmed
        seen = self.observe(run, process)
        self.pages_seen = resources.Pages(huge=seen.huge_page_bytes, resident=seen.resident_bytes).kind
        batch = min(process.batch(number) for number in range(_SPEED_BATCHES))
        self.speed = Speed(start=ready, batch=batch, batches=batches_of_turn(batch))
        self.workshop.batches = self.speed.batches
        self.workshop.limits = Limits.of(start=ready, batch=self.speed.batch)
        return seen.states

    def answer_baseline(
        self, rows: int, *, measuring: float | None = None, untrained: bool = False, earlier: int | None = None
    ) -> tuple[str, ...]:
        """Let the baseline answer as many examples as the budget allows; return what is given up for it, a line each.

        The budget is for so many `rows`, which answer as many examples each, and for sets in which all are timed:
        `measuring` seconds of it, by default those of the sets that a verdict takes at least, and of half a one more,
        for they may take longer than the first process did. Where no answers prove anything, as those of `untrained`
        heads, a few batches are answered, and the time is left to the sets. Where an `earlier` start of this run has
        answered so many examples, the same are answered again.
        Raises: WorkerError, ParityError or OutOfTimeError when the baseline does not work.
        """
        run, whole = self.runs[BASELINE], self.task
        if measuring is None:
            measuring = (self.gate.judge.first_look + _SPARE_SETS) * self.set_seconds(rows)
        windows = self.budget.windows(measuring, passes=1 + rows, batch=self.speed.batch, batch_size=self.batch_size)
        most = _UNTRAINED * self.batch_size if untrained else None
        fewest = min((count for count in (windows, most) if count is not None), default=None)
        if earlier is not None:
            self.task = whole.first_examples(earlier)
        elif fewest is not None:
            self.task = whole.first(fewest)
        run.answers = self.answers(run, self._first_process())
        self.predictions[BASELINE] = run.answers.predictions
        if self.task is whole:
            return ()
        examples, count = len(self.task.inputs), len(self.task.features)
        answered = f"{examples} of {counted(len(whole.inputs), 'example')} ({count} of {len(whole.features)} windows)"
        if earlier is not None:
            return (f"answered {answered}, as the start that this one goes on from",)
        if fewest == most:
            return (f"answered {answered}, for no number of answers tells anything of heads that were never trained",)
        why = f"for all of them take too much of the budget of {self.budget.seconds:g} s"
        return (f"answered {answered}, {why} (a larger --budget answers more)",)

    def set_seconds(self, rows: int) -> float:
        """Return about how long a set of so many `rows` takes at least, with the controls, were all a little slower."""
        processes = 1 + len(CONTROLS) + rows
        cost = Cost(
            start_seconds=max(processes * self.speed.start, 1e-9),
            round_seconds=max((2 + len(CONTROLS) + SLOWER * rows) * self.speed.turn, 1e-9),
        )
        return cost.set_seconds(self.gate.rounds or FEWEST_ROUNDS)

    def end_baseline(self) -> None:
        """End the baseline's first process."""
        process, self._first = self._first, None
        if process is not None:
            process.end()

    def baseline_row(self) -> VariantResult:
        """Return the baseline's own row."""
        return self.runs[BASELINE].record()

    def baseline_answers(self) -> Answers:
        """Return what the baseline answered."""
        answers = self.runs[BASELINE].answers
        assert answers is not None, "answer_baseline comes first"  # noqa: S101
        return answers

    def run_of(self, variant: Variant) -> VariantRun:
        """Return what is found of `variant` in this session, from now on."""
        challenger = self._challenger_of(variant.name)
        model = challenger.identity() if challenger else {}
        return self.runs.setdefault(variant.name, VariantRun(variant=variant, model=model))

    def was_started(self, variant: Variant) -> bool:
        """Return whether the states and answers of `variant` are known, from this session or an earlier start of it."""
        run = self.run_of(variant)
        return run.warmed is not None or run.kept is not None

    def starter(self, variant: Variant, *, name: str | None = None, planted: float = 0.0) -> WorkerStarter:
        """Return what starts a process of a `variant`, for sets.

        `name` is what it is called, by default as the variant; `planted` is the share of a batch's time that is planted
        in it.
        """

        def warm(process: VariantProcess) -> None:
            if planted:
                self.planted.append(process.plant(planted))

        model = (self._challenger_of(variant.name) or self).folder
        return self.workshop.starter(variant, model, name=name, warm=warm)

    def starters(self, variants: Iterable[Variant], planted: float = PLANTED_SHARE) -> dict[str, Start]:
        """Return what starts each row's process: the `variants`', then the controls'.

        `planted` is the share of a batch's time that is planted in the control of that kind.
        """
        return {
            **{variant.name: self.starter(variant) for variant in variants},
            SAME: self.starter(self.baseline, name=SAME),
            PLANTED: self.starter(self.baseline, name=PLANTED, planted=planted),
        }

    def judged_rows(self, variants: Iterable[Variant], floors: Mapping[str, Floor]) -> tuple[Row, ...]:
        """Return the rows as the judge is told of them: the `variants` with their `floors`, then the controls."""
        share = sum(self.planted) / len(self.planted) if self.planted else PLANTED_SHARE
        return (
            *(Row(name=variant.name, floor=floors.get(variant.name)) for variant in variants),
            Row(name=SAME, role="same"),
            Row(name=PLANTED, role="planted", planted=share),
        )

    def start(self, variant: Variant, *, name: str | None = None) -> VariantProcess:
        """Start a new process of a `variant`, called `name`, by default as the variant.

        Raises: as `Workshop.start`.
        """
        return self.starter(variant, name=name)()

    def observe(self, run: VariantRun, process: VariantProcess) -> protocol.ObservedStates:
        """Note in `run` what its `process` was seen to do.

        Raises: VariantError unless the variant's switches are seen to have had their effect.
        """
        seen = process.observe(rates=True)
        run.observed = seen.states
        absent = run.variant.without_effect(seen.states)
        if absent:
            raise VariantError(f"{run.variant.name}: the switches had no effect: {absent}")
        if elsewhere := run.variant.elsewhere(seen.states, self.runs[BASELINE].observed or seen.states):
            raise VariantError(f"{run.variant.name}: {elsewhere}")
        return seen

    def check_answers(self, run: VariantRun, process: VariantProcess) -> None:
        """Let `process` answer the task, and note in `run` how far the answers agree with the baseline's.

        Raises: ParityError when they differ by more than the row tolerates.
        """
        name = run.variant.name
        run.answers = self.answers(run, process)
        self.predictions[name] = run.answers.predictions
        run.agreement = agreement(self.task, self.baseline_answers(), run.answers)
        if challenger := self._challenger_of(name):
            run.agreement = self._with_change(run.agreement, challenger, name)
        else:
            run.note = check_answers(
                self.task,
                self.baseline_answers(),
                run.answers,
                run.agreement,
                run.variant.tolerance,
                most=self.most_answers,
            )

    def answers(self, run: VariantRun, process: VariantProcess, task: Task | None = None) -> Answers:
        """Return what `process` answers to `task` (None: the session's); note in `run` what it took.

        Raises: WorkerError when it fails, ParityError when a logit is not a finite number.
        """
        task = task or self.task
        rows = len(task.features)
        self.progress("answers", run.variant.name)
        said = process.predict(rows)
        run.predict_seconds, run.usage = said.seconds, said.usage
        challenger = self._challenger_of(run.variant.name)
        return score_predictions(challenger.task(task) if challenger else task, _logits(task, said))

    def further_answers(self, process: VariantProcess, task: Task) -> Answers:
        """Return what `process` answers to a `task` of further examples.

        Raises: WorkerError when it fails, ParityError when a logit is not a finite number.
        """
        said = process.predict(len(task.features), task.features)
        return score_predictions(task, _logits(task, said))

    def check_again(self, run: VariantRun, process: VariantProcess) -> None:
        """Raise unless `process`, after its rounds, still answers as its row did at first, and traced nothing anew.

        `run` is what was found of that row.

        Raises: ParityError, VariantError.
        """
        traces = process.observe().states.traces
        if traces > 1:
            name = run.variant.name
            raise VariantError(f"{name}: the graph was traced {traces} times; expected once, before any time was taken")
        if run.answers is None:
            return
        rows = min(self.batch_size, len(self.task.features))
        found = _logits(self.task, process.predict(rows), rows)
        for output in MODEL_OUTPUTS:
            first, now = getattr(run.answers.logits, output)[:rows], getattr(found, output)
            apart = float(np.max(np.abs(first - now))) / max(float(np.std(first)), 1e-6)
            if not apart <= _AGAIN[run.variant.tolerance]:
                raise ParityError(
                    f"parity: after the last round the {output} are not those of before the first: they differ by "
                    f"{apart:.2g} of their spread"
                )

    def _first_process(self) -> VariantProcess:
        assert self._first is not None, "start_baseline comes first"  # noqa: S101
        return self._first

    def _challenger_of(self, name: str) -> Challenger | None:
        """Return the challenger where the variant of that name is its row, None where it is the model's."""
        return self.challenger if self.challenger is not None and self.challenger.runs(name) else None

    def _with_change(self, agreed: Agreement, _challenger: Challenger, name: str) -> Agreement:
        """Return the agreement of a challenger's row with how its score has changed."""
        change = score_change(self.task, self.baseline_answers().predictions, self.predictions[name])
        return msgspec.structs.replace(agreed, details={**agreed.details, **change})


def _logits(task: Task, said: protocol.Predicted, rows: int | None = None) -> Logits:
    rows = len(task.features) if rows is None else rows
    start, end, answer_type = said.arrays(rows)
    return Logits(
        unique_id=task.features.unique_id[:rows],
        start_logits=start,
        end_logits=end,
        answer_type_logits=answer_type,
    )
