"""The suite in two revisions: the same rows of base and change beside each other, stages of the route among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.engines.registry import find_engine
from nqperf.errors import ConfigError, NqPerfError, VariantError
from nqperf.perf.machine.examination import device_fingerprint, look_at_machine
from nqperf.perf.measuring.duets import How, Pair
from nqperf.perf.revisions.answers import SamePredictions, equal_values
from nqperf.perf.revisions.builders import BuilderProcess, Starting, package_alone
from nqperf.perf.revisions.compare import starter
from nqperf.perf.revisions.config import RevisionsConfig
from nqperf.perf.revisions.rows import PairedRow
from nqperf.perf.revisions.session import RowsSession
from nqperf.perf.revisions.sides import Side
from nqperf.perf.revisions.task import SharedTask, shared_task
from nqperf.perf.variants.table import VARIANTS, nearest
from nqperf.perf.workers.process import WorkerError
from nqperf.perf.workers.progress import Doing
from nqperf.records.results import BASELINE
from nqperf.records.revisions import Measure, RevisionResults

_BUILDERS = "nqperf.perf.revisions.side_rows"
STAGES = ("read", "prepare-sentencepiece", "prepare-wordpiece", "answer", "evaluate", "route")
ALL = "all"
# The whole route is timed over few windows: its model is a row of its own.
_ROUTE_WINDOWS = 4
_OF_A_STAGE: tuple[Measure, ...] = ("time", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAsked:
    """Which rows are compared, and on what.

    `variants` are names of variants and stages; None is the baseline with all stages, ("all",) every row.
    `variants_file` has variants of one's own. `model` is the model folder (None: each side's packaged one), `data` a
    Natural Questions file (None: generated examples), of which `limit` examples are used, and as many answered as fill
    `windows` windows of `max_seq_length` positions. `batch_size` is the number of windows run at once, None what suits
    the device. A model or a file of variants that lies in the project is the one that each side has there, as far as
    the base has it.

    Raises: ConfigError for a number below 1, or data from standard input.
    """

    variants: tuple[str, ...] | None = None
    variants_file: Path | None = None
    model: Path | None = None
    data: str | None = None
    limit: int | None = None
    windows: int = 32
    max_seq_length: int = 512
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "windows", "max_seq_length", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected at least 1")
        if self.data == "-":
            raise ConfigError("data from standard input can be read once, and two sides read it: name a file")


def compare_suite(
    asked: RowsAsked, sides: tuple[Side, Side], project: Path, config: RevisionsConfig
) -> RevisionResults:
    """Hold each row of the second side to the same row of the first, in the same rounds.

    `sides` are base and change, `asked` says which rows, `config` how they are measured, and `project` is the folder of
    the change's files. What only one side has is told, and what fails on the base is no fault of the change.

    Raises: NqPerfError for bad input, a base of another version of the workers' protocol, or when no row runs there.
    """
    with package_alone() as alone, shared_task(asked.data, asked.limit) as task:
        on_gpu = bool(device_fingerprint().gpus)
        if on_gpu and config.how == "auto":
            config = dataclasses.replace(config, how="turns")
        starting = Starting(
            target=f"{_BUILDERS}:rows",
            project=project,
            alone=alone,
            pages=config.pages,
            build_seconds=config.build_seconds,
            run_seconds=config.run_seconds,
        )
        made = _Rows(asked=asked, sides=sides, task=task, starting=starting, on_gpu=on_gpu)
        config.progress(Doing(stage="rows", name="of both sides"))
        base, change = made.listed()
        names = _chosen(asked, base, change)
        session = RowsSession(rows=tuple(made.row(name, base, change) for name in names), config=config)
        session.run()
    errors = [run.base_error for run in session.runs]
    if errors and all(error is not None for error in errors):
        raise NqPerfError(f"no row runs on the base: {errors[0]}")
    return session.results(sides, new=sorted({*change} - {*base}), gone=sorted({*base} - {*change}))


def row_starts(
    asked: RowsAsked, sides: tuple[Side, Side], task: SharedTask, starting: Starting
) -> Callable[[How], Pair]:
    """Return what starts both `sides` of the one row that is `asked`, on the data of `task`, for a way of being timed.

    `starting` is what all processes have in common.

    Raises: NqPerfError for a name that neither side has or one of them lacks, or when the first side cannot be asked.
    """
    made = _Rows(asked=asked, sides=sides, task=task, starting=starting, on_gpu=bool(device_fingerprint().gpus))
    named = set(asked.variants or ())
    base, change = ({}, {}) if named <= {*STAGES} - {"route"} else made.listed()
    (name,) = _chosen(asked, base, change)
    return made.row(name, base, change).starts


def default_rows() -> tuple[str, ...]:
    """Return the rows that are compared where none is named: the baseline, and the stages of the route."""
    return (BASELINE, *STAGES)


def _chosen(asked: RowsAsked, base: Mapping[str, Any], change: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the rows that are compared, in order.

    Raises: VariantError for a name that neither side has, or that one of them lacks.
    """
    both = [name for name in change if name in base]
    if asked.variants is None:
        return default_rows()
    if asked.variants == (ALL,):
        return (BASELINE, *STAGES, *_able([name for name in both if name != BASELINE]))
    for name in asked.variants:
        if name in STAGES or name in both:
            continue
        missing = "the base" if name in change else "the change" if name in base else None
        if missing is not None:
            raise VariantError(f"{missing} has no variant {name!r}, so nothing can be compared: leave it out")
        near = nearest(name, (*both, *STAGES, ALL))
        hint = f"did you mean {near}?" if near else f"expected some of {', '.join((*both, *STAGES))}, or {ALL} alone"
        raise VariantError(f"unknown row {name!r}; {hint}")
    return tuple(dict.fromkeys(asked.variants))


def _able(names: Sequence[str]) -> list[str]:
    """Return the rows that this machine can run, as far as the table of this tool knows them."""
    machine = look_at_machine()
    return [name for name in names if name not in VARIANTS or VARIANTS[name].missing(machine) is None]


def _output(process: BuilderProcess) -> Any:
    """Return what a process that was just started answers, and end it."""
    try:
        process.ready()
        return process.output()
    finally:
        process.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Makes the rows of a comparison: `starting` is what all processes have in common."""

    asked: RowsAsked
    sides: tuple[Side, Side]
    task: SharedTask
    starting: Starting
    on_gpu: bool

    def listed(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the variants of both sides by name, as their own tables say."""
        starting = [
            self._starting("rows", variants_file=self._own(self.asked.variants_file, side)) for side in self.sides
        ]
        base = _output(BuilderProcess("base", self.sides[0], starting[0]))
        try:
            return base, _output(BuilderProcess("change", self.sides[1], starting[1]))
        except WorkerError:
            return base, base  # then each row of the change fails, and is told with its reason

    def row(self, name: str, base: Mapping[str, Any], change: Mapping[str, Any]) -> PairedRow:
        """Return a row of the comparison; `base` and `change` are the variants of both sides."""
        if name in STAGES and name != "route":
            starting = self._stage(name)
            return PairedRow(name=name, starts=starter(self.sides, starting), same=equal_values, measures=_OF_A_STAGE)
        if name == "route":
            starting = self._engine_rows("route", base[BASELINE], change[BASELINE], windows=_ROUTE_WINDOWS)
            same = SamePredictions(examples=self.task.examples, tolerance="exact")
            return PairedRow(name=name, starts=starter(self.sides, starting), same=same, measures=_OF_A_STAGE)
        starting = self._engine_rows("variant", base[name], change[name], windows=self.asked.windows)
        same = SamePredictions(examples=self.task.examples, tolerance=base[name]["tolerance"])
        return PairedRow(name=name, starts=starter(self.sides, starting), same=same)

    def _stage(self, name: str) -> tuple[Starting, Starting]:
        task, length = self.task, self.asked.max_seq_length
        data = {"data": task.data, "limit": task.limit}
        if name == "read":
            return self._both("read", **data)
        if name == "evaluate":
            return self._both("evaluated", **data)
        if name == "answer":
            file = str(task.sentencepiece)
            return self._both("answered", tokenizer=file, kind="sentencepiece", max_seq_length=length, **data)
        kind = name.removeprefix("prepare-")
        file = str(task.sentencepiece if kind == "sentencepiece" else task.wordpiece)
        return self._both("prepared", tokenizer=file, kind=kind, max_seq_length=length, **data)

    def _both(self, builder: str, **arguments: Any) -> tuple[Starting, Starting]:
        one = self._starting(builder, **arguments)
        return one, one

    def _engine_rows(
        self, builder: str, base: Mapping[str, Any], change: Mapping[str, Any], *, windows: int
    ) -> tuple[Starting, Starting]:
        """Return how both sides start a builder that runs a model by their own definitions of a variant."""
        suits = GPU_BATCH if self.on_gpu else CPU_BATCH
        first, second = (
            dataclasses.replace(
                self._starting(
                    builder,
                    model=self._own(self.asked.model, side),
                    data=self.task.data,
                    limit=self.task.limit,
                    windows=windows,
                    max_seq_length=self.asked.max_seq_length,
                    engine=row["engine"],
                    settings=row["settings"],
                    batch_size=row["batch_size"] or self.asked.batch_size or suits,
                ),
                engine=find_engine(row["engine"]),
                switches=row["environment"],
            )
            for side, row in zip(self.sides, (base, change), strict=True)
        )
        return first, second

    def _starting(self, builder: str, **arguments: Any) -> Starting:
        return dataclasses.replace(self.starting, target=f"{_BUILDERS}:{builder}", arguments=arguments)

    def _own(self, path: Path | None, side: Side) -> str | None:
        """Return a path of the change's as it is on a side: its own where it lies in the project and is there."""
        if path is None:
            return None
        absolute = path.resolve()
        if absolute.is_relative_to(self.starting.project.resolve()):
            own = side.root / absolute.relative_to(self.starting.project.resolve())
            if own.exists():
                return str(own)
        return str(absolute)
