"""One builder in two revisions: what each side lacks is told, then its row is measured and judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nqperf.errors import ConfigError, NqPerfError
from nqperf.perf.measuring.duets import How, Pair, halves
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.revisions.builders import BuilderProcess, RevisionProcess, Starting, package_alone
from nqperf.perf.revisions.config import DEFAULT, RevisionsConfig
from nqperf.perf.revisions.rows import PairedRow
from nqperf.perf.revisions.session import RowsSession
from nqperf.perf.revisions.sides import Side, own_benchmarks
from nqperf.perf.workers.builder_worker import BUILDER, Build, meant
from nqperf.perf.workers.process import WorkerError
from nqperf.records.results import Agreement
from nqperf.records.revisions import RevisionResults

_CLOSE = Close()
# Starts a side's process, which is told its name; NqPerfError when it cannot.
StartSide = Callable[[str, Side, Starting], RevisionProcess]


def compare_revisions(
    target: str,
    sides: tuple[Side, Side],
    project: Path,
    same: Compare | Metric = _CLOSE,
    config: RevisionsConfig = DEFAULT,
    start: StartSide = BuilderProcess,
) -> RevisionResults:
    """Hold `target`, a builder "module:function", of the second side against that of the first.

    `sides` are base and change, `config` says how they are measured. `project` is the folder of the change's files.
    Outputs are compared by `same` before anything is timed. `start` starts a side's process.
    A builder that only the change has is told as `new`, and is INCONCLUSIVE.
    Raises: WorkerError and ConfigError when the base, or neither side, builds or runs; what fails on the change's side
    alone is told.
    """
    require_target(target)

    def compared(base: Any, change: Any) -> tuple[Agreement, str | None, str | None]:
        return (*agree(same, base, change), None)

    with package_alone() as alone:
        starting = Starting(
            target=target,
            project=project,
            alone=alone,
            pages=config.pages,
            build_seconds=config.build_seconds,
            run_seconds=config.run_seconds,
            plain=isinstance(same, Close),
        )
        rows, said = _rows(target, sides, starting, start, compared)
        session = RowsSession(rows=rows, config=config)
        session.run()
        run = session.runs[0]
        if run.base_error is not None:
            _require_new(target, run.base_error, lambda: start("change", sides[1], starting))
            return session.results(sides, new=[target])
        if run.faults and run.agreement is not None and run.agreement.changed and not run.sets:
            run.note = run.note or _unsteady(lambda: start("base", sides[0], starting), same)
    if lent := sides[0].lent:
        said = f"{lent} is not in {sides[0].record.label}: this tree's is used on both sides"
    run.note = "; ".join(filter(None, (run.note, said))) or None
    return session.results(sides)


def _rows(
    target: str, sides: tuple[Side, Side], starting: Starting, start: StartSide, compared: Callable[..., Any]
) -> tuple[tuple[PairedRow, ...], str]:
    """Return the row of `target`, behind it one by the base's benchmarks where they are others, and what is said of it.

    What the base measures is measured in the change, too: no change loosens its own gate. `starting` is how `start`
    starts the `sides`, whose outputs are `compared`.
    """

    def row(name: str, both: tuple[Side, Side]) -> PairedRow:
        return PairedRow(name=name, starts=starter(both, (starting, starting), start), same=compared)

    place = own_benchmarks(target, sides) if sides[1].benchmarks is not None else None
    if place is None:
        return (row(target, sides),), ""
    label = sides[0].record.label
    by_base = (sides[0], dataclasses.replace(sides[1], by_base=True))
    if _build_error(lambda: start("change", by_base[1], starting)) is not None:
        told = f"{place}/ of {label} does not run in this tree: each side ran its own, so see that both do the same"
        return (row(target, sides),), told
    rows = (row(target, sides), row(f"{target} of {label}'s {place}/", by_base))
    return rows, f"{place}/ is not {label}'s: what is measured by that stands in a row of its own, and counts as well"


def _require_new(target: str, error: NqPerfError, start: Callable[[], RevisionProcess]) -> None:
    """Raise unless the base's `error` is that it has not yet what the builder `target` is, and the change builds it.

    `start` starts the change's process. What neither side builds is no fault of the base.
    """
    its_own = _build_error(start)
    if isinstance(its_own, WorkerError) and its_own.fault is not None:
        raise ConfigError(its_own.fault)
    if its_own is not None:
        said = its_own.reason if isinstance(its_own, WorkerError) else None
        raise ConfigError(f"{target} builds neither in the base nor in this tree: {said or its_own}")
    if not _lacks(error, target):
        raise error


def _lacks(error: NqPerfError, target: str) -> bool:
    """Return whether `error`, at its build, says that a side has not yet what the builder `target` is, or imports."""
    module, _, name = target.partition(":")
    missing = ("ImportError: ", "ModuleNotFoundError: ", f"AttributeError: module '{module}' has no attribute '{name}'")
    if not isinstance(error, WorkerError) or error.request is not Build or error.reason is None:
        return False
    return any(words in error.reason for words in missing)


def _build_error(start: Callable[[], RevisionProcess]) -> NqPerfError | None:
    """Return why the process that `start` starts does not get ready, None where it does."""
    try:
        process = start()
        try:
            process.ready()
        finally:
            process.end()
    except NqPerfError as error:
        return error
    return None


def _unsteady(start: Callable[[], RevisionProcess], same: Compare | Metric) -> str | None:
    """Return what to do where two processes that `start` starts, of one side, give other outputs; None where not."""
    outputs = []
    try:
        for _ in range(2):
            process = start()
            try:
                process.ready()
                outputs.append(process.output())
            finally:
                process.end()
    except NqPerfError:
        return None  # it ran before: that it does not now says nothing of its outputs
    if agree(same, *outputs)[1] is None:
        return None
    return "the base gives other outputs each time: draw its input from a fixed seed"


def starter(
    sides: tuple[Side, Side],
    startings: tuple[Starting, Starting],
    start: StartSide = BuilderProcess,
    names: tuple[str, str] = ("base", "change"),
) -> Callable[[How], Pair]:
    """Return what starts the processes of both `sides` as `startings` say, by `start`, for a way of being timed.

    `names` are what messages call them.
    """

    def starts(how: How) -> Pair:
        both = halves() if how == "duet" else (None, None)
        (base, change), (first, second) = (
            sides,
            (dataclasses.replace(one, cores=cores) for one, cores in zip(startings, both, strict=True)),
        )
        return lambda: start(names[0], base, first), lambda: start(names[1], change, second)

    return starts


def require_target(target: str) -> None:
    """Raise ConfigError unless `target` has the form of a builder's name."""
    if not BUILDER.fullmatch(target):
        raise ConfigError(f"{target!r} is no builder; expected MODULE:BUILD, as in mymodel:build{meant(target)}")
