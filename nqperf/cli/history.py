"""The command that shows saved runs over time."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.formats.files import require_places
from nqperf.formats.results.results_json import read_results_folder
from nqperf.records.history import history
from nqperf.report.html import history_page, write_page
from nqperf.report.terminal import history_text


@click.command("history")
@click.argument("folder", type=shared.PATH)
@shared.option("--report", type=shared.PATH, help="Write the history as an HTML page.")
@shared.together(shared.quiet_option, shared.json_option)
def history_command(folder: Path, *, report: Path | None, quiet: bool, as_json: bool) -> None:
    """Show each variant's ratio by date, with its interval, over every results file (*.json) in FOLDER.

    Where the machine, its software, the model, the data or the sizes are not as in the run before, the change is
    marked: ratios on both sides of it do not compare.

    \b
    nqperf history runs/
    nqperf history runs/ --report history.html --json

    \b
    Exit codes: 0 shown; 2 bad input.
    """
    require_places(report=report)
    found = history(read_results_folder(folder))
    if report is not None:
        write_page(report, history_page(found))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif not quiet:
        click.echo(history_text(found))
