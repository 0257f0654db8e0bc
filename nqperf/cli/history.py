"""The command that shows saved runs over time."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.formats.files import require_places
from nqperf.formats.results.results_json import read_results_folder
from nqperf.records.history import exit_status, history
from nqperf.report.html import history_page, write_page
from nqperf.report.terminal import history_text

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?Z?)?)?)?")


def _date(_: click.Context, __: click.Parameter, value: str | None) -> str:
    """Return the date that was typed, "" for none; any beginning of one in ISO 8601 is one."""
    if value and not _DATE.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no date; expected one as 2026-05-01 or 2026-05-01T12:00:00Z")
    return value or ""


@click.command("history")
@click.argument("folder", type=shared.PATH)
@shared.option("--since", metavar="DATE", callback=_date, help="Only runs of that day (UTC) or later.  [default: all]")
@shared.option("--report", type=shared.PATH, help="Write the history as an HTML page.")
@shared.together(shared.quiet_option, shared.json_option)
def history_command(folder: Path, *, since: str, report: Path | None, quiet: bool, as_json: bool) -> None:
    """Show each variant's ratio by date, and where it changed, over every results file (*.json) in FOLDER.

    Where the machine, its software, the model, the data or the sizes are not as in the run before, the change is
    marked: ratios on both sides of it do not compare. Among runs of one setting, changes of a row and of the baseline's
    own seconds are found by change points, small ones that add up too. INVALID runs are marked and do not count.

    \b
    nqperf history runs/
    nqperf history runs/ --since 2026-05-01 --report history.html

    \b
    Exit codes: 0 nothing is slower; 1 a row is surely slower than at its best, by 1 % or more (a slowdown that is
    wanted: name a day after it by --since); 2 bad input.
    """
    require_places(report=report)
    found = history(read_results_folder(folder), since=since)
    if report is not None:
        write_page(report, history_page(found))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif not quiet:
        click.echo(history_text(found))
    sys.exit(exit_status(found))
