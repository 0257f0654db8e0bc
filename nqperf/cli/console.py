"""What people see: progress on a terminal, tables, and the list of what was left out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

import click

from nqperf.casts.telling import told
from nqperf.cli.start_up import quiet_start_up, screen
from nqperf.engines.registry import EngineRow
from nqperf.errors import FormatError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.perf.workers.progress import Doing, Event, Progress, SetFinished, silent
from nqperf.plain_text import plain
from nqperf.report.progress import SECONDS_SILENT, doing_text, repeated, row_lines, set_text

Advance = Callable[[str, int], None]


@contextmanager
def progress(totals: dict[str, int | None], *, quiet: bool) -> Iterator[Advance]:
    """Yield a function (name, how many more are done) that moves one bar a name; silent if `quiet`.

    `totals` is how many there will be, by name; None where that is not known. Off a terminal it is a line where there
    was none for a quarter of a minute.
    """
    if quiet:
        yield lambda _name, _count: None
        return
    if not sys.stderr.isatty():
        yield _lines(totals)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {name: bars.add_task(name, total=total) for name, total in totals.items()}
        yield lambda name, count: bars.advance(tasks[name], count)


def _lines(totals: dict[str, int | None]) -> Advance:
    """Return what says in a line how many are done, of the `totals`, where there was none for a while."""
    done = dict.fromkeys(totals, 0)
    said_at = time.monotonic()

    def advance(name: str, count: int) -> None:
        nonlocal said_at
        done[name] = done.get(name, 0) + count
        if time.monotonic() - said_at >= SECONDS_SILENT:
            said_at = time.monotonic()
            of = "" if totals.get(name) is None else f" of {totals[name]}"
            click.echo(f"nqperf: {name} {done[name]}{of}", err=True)

    return advance


@contextmanager
def suite_progress(*, quiet: bool) -> Iterator[Progress]:
    """Yield what shows the progress: on a terminal what is being done, elsewhere a line a finished row.

    What takes long is told with its time. Nothing is shown where `quiet`.
    """
    if quiet:
        yield silent
        return
    stream = screen()
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        with row_lines(lambda line: click.echo(line, file=stream)) as lines, repeated(lines) as progress:
            yield progress
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream)
    with console.status("starting") as status:

        def show(event: Event) -> None:
            if isinstance(event, Doing):
                status.update(Text(plain(doing_text(event))))
            elif isinstance(event, SetFinished):
                console.print(set_text(event), markup=False, highlight=False)

        with repeated(show) as progress:
            yield progress


@contextmanager
def work_shown() -> Iterator[None]:
    """Show what an audit or a drift does in the block, as `suite_progress` shows a run."""
    with suite_progress(quiet=False) as progress:
        progress(Doing(stage="starting", name="TensorFlow"))
        with told(lambda stage, name, share: progress(Doing(stage=stage, name=name, share=share))):
            yield


@contextmanager
def users_code() -> Iterator[None]:
    """Let what the user's code prints in the block go to standard error: standard output is the command's result."""
    with redirect_stdout(sys.stderr):
        yield


def start_engine(row: EngineRow) -> None:
    """Import the library of the engine `row` and let it find its devices, without its start-up lines.

    Raises: MissingExtraError when it is not installed.
    """
    row.require()
    with quiet_start_up():
        row.engine_type().start()


def warn(message: str) -> None:
    """Say the `message` on stderr: what is done all the same."""
    click.echo(f"nqperf: warning: {message}", err=True)


def warn_of_new_heads(folder: OpenedModel) -> None:
    """Say on stderr that the span head of the model in `folder` was never trained, where it is so."""
    if folder.settings.heads == "new":
        warn(f"{folder.path} has a new span head: its answers are untrained")


def report_skipped(skipped: Sequence[FormatError]) -> None:
    """Say on stderr how many lines were left out, and each one's fault: those in `skipped`."""
    if skipped:
        lines = "line" if len(skipped) == 1 else "lines"
        click.echo(f"nqperf: left out {len(skipped)} faulty {lines}:", err=True)
        for error in skipped:
            click.echo(f"  {error}", err=True)


def report_notes(notes: Sequence[str]) -> None:
    """Say on stderr what a reader must know of a score: a line each of `notes`."""
    for note in notes:
        click.echo(f"nqperf: {note}", err=True)
