"""What people see: progress on a terminal, tables, and the list of what was left out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from nqperf.formats.nq_jsonl import NqReader

Advance = Callable[[str, int], None]


@contextmanager
def progress(totals: dict[str, int | None], *, quiet: bool) -> Iterator[Advance]:
    """Yield a function (name, how many more are done) that moves one bar a name; silent off a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _name, _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {name: bars.add_task(name, total=total) for name, total in totals.items()}
        yield lambda name, count: bars.advance(tasks[name], count)


def report_skipped(reader: NqReader) -> None:
    """Say on stderr how many lines were left out, and each one's fault."""
    if reader.skipped:
        click.echo(f"nqperf: left out {len(reader.skipped)} faulty lines:", err=True)
        for error in reader.skipped:
            click.echo(f"  {error}", err=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under headings, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    lines = [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in [headings, *rows])
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
