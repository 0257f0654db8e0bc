"""A run's progress in words: what is being done, for a terminal, and a line a finished row, for a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from nqperf.perf.workers.progress import Doing, Progress, Row, RowFinished
from nqperf.plain_text import plain
from nqperf.records.results import Controls, VariantResult, Verdict
from nqperf.report.summary import outcome_of

# A log shows nobody what changed since; one line a second is enough of it.
SECONDS_A_LINE = 1.0


def doing_text(event: Doing) -> str:
    """Return what is being done."""
    return f"{event.stage} {event.name}{f', {event.pairs} pairs' if event.pairs else ''}"


def finished_text(event: RowFinished) -> str:
    """Return what a row came to, in the table's words."""
    return plain(f"{event.name}: {_row_text(event.row)}, {event.seconds:.0f} s")


@contextmanager
def row_lines(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Yield what writes one line a finished row, at most one a second: rows that end sooner share the next line."""
    waiting: list[RowFinished] = []
    last = -SECONDS_A_LINE

    def tell(event: Doing | RowFinished) -> None:
        nonlocal last
        if isinstance(event, RowFinished):
            waiting.append(event)
            if clock() - last >= SECONDS_A_LINE:
                last = clock()
                _write(write, waiting)

    try:
        yield tell
    finally:
        _write(write, waiting)


def _write(write: Callable[[str], None], waiting: list[RowFinished]) -> None:
    """Write what waits in one line, and forget it."""
    if waiting:
        left = waiting[-1].left
        rows = "row" if left == 1 else "rows"
        write(f"nqperf: {'; '.join(map(finished_text, waiting))}; {left or 'no'} {rows} left")
        waiting.clear()


def _row_text(row: Row) -> str:
    if isinstance(row, VariantResult):
        said = outcome_of(row) if row.reason is None else f"{outcome_of(row)} ({row.reason})"
        return said if row.verdict is None else f"ratio {row.verdict.ratio:.3f}, {said}"
    if isinstance(row, Verdict):
        return f"ratio {row.ratio:.3f}, {row.outcome}"
    if isinstance(row, Controls):
        both = (("same", row.same), ("planted", row.planted))
        return ", ".join(
            f"{name} {_row_text(control.verdict) if control else 'not measured'}" for name, control in both
        )
    return f"ratio {median(_ratios(row.baseline_seconds, row.variant_seconds)):.3f}, measured"


def _ratios(baseline: tuple[float, ...], variant: tuple[float, ...]) -> list[float]:
    return [one / other for one, other in zip(baseline, variant, strict=True)]
