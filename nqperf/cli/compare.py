"""The command that compares two runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.formats.files import require_places
from nqperf.formats.results.results_json import read_results
from nqperf.records.comparison import compare, exit_status
from nqperf.report.html import comparison_page, write_page
from nqperf.report.lines import console_width
from nqperf.report.terminal import comparison_text


@click.command("compare")
@click.argument("old", type=shared.PATH)
@click.argument("new", type=shared.PATH)
@shared.option("--across-machines", is_flag=True, help="Compare runs of different devices and major versions too.")
@shared.option("--report", type=shared.PATH, help="Write the comparison and both runs as an HTML page.")
@shared.option("--allow-inconclusive", is_flag=True, help="Exit with 0 where a difference could not be told.")
@shared.together(shared.quiet_option, shared.json_option)
def compare_command(
    old: Path, new: Path, *, across_machines: bool, report: Path | None, allow_inconclusive: bool, **shown: bool
) -> None:
    """Compare each variant's speed-up over its own run's baseline, from OLD to NEW, two files of `nqperf bench --out`.

    \b
    nqperf compare main.json branch.json
    nqperf compare main.json branch.json --report change.html
    nqperf compare v100.json h200.json --across-machines --json

    \b
    Exit codes: 0 nothing is slower; 1 a variant is slower, or has no times any more; 2 bad input, or the runs cannot be
    compared; 3 for a variant a difference could not be told (0 with --allow-inconclusive).
    """
    if report is not None:
        require_places(report=report)
        shared.refuse_same_file(report, option="report", old=old, new=new)
    before, after = read_results(old), read_results(new)
    comparison = compare(before, after, across_machines=across_machines)
    if report is not None:
        write_page(report, comparison_page(comparison, before, after))
    if shown["as_json"]:
        click.echo(msgspec.json.encode(comparison).decode())
    elif not shown["quiet"]:
        click.echo(comparison_text(comparison, console_width()))
    sys.exit(exit_status(comparison, allow_inconclusive=allow_inconclusive))
