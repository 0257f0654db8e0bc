"""The command that finds the commit which made a builder or a row of the suite slower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nqperf.cli import options as shared
from nqperf.cli.console import suite_progress
from nqperf.perf.revisions.bisect import BisectConfig, bisect, bisect_row
from nqperf.perf.revisions.git import Repository
from nqperf.perf.revisions.suite import RowsAsked
from nqperf.report.revisions import bisected_text


@click.command("bisect")
@click.argument("target", metavar="[MODULE:BUILD]", required=False)
@shared.option("--good", required=True, metavar="REVISION", help="A revision that is fast.")
@shared.option("--bad", default="HEAD", metavar="REVISION", help="A later revision that is slow.")
@shared.option("--variants", metavar="ROW", help="A row of the suite instead: a variant or a stage, in nqperf itself.")
@shared.option("--model", type=shared.MODEL, help="The row's model folder.  [default: each revision's nq-mini]")
@shared.option("--factor", type=float, default=1.05, help="The least slowdown that is searched for: 1.05 is 5 %.")
@shared.option("--most", type=int, default=100, help="Sets of fresh processes that may be measured in all.")
@shared.option("--seed", type=int, default=0, help="Draws the orders.")
@shared.option("--fresh", is_flag=True, help="Start over instead of going on where an earlier start ended.")
@shared.quiet_option
def bisect_command(target: str | None, **options: Any) -> None:
    """Find the commit between two revisions that made what MODULE:BUILD builds slower, or a row of the suite.

    Each step measures one commit beside the good one, in fresh processes; a commit in doubt is measured again. Commits
    that do not build are passed over. The same command goes on after a kill.

    \b
    nqperf bisect mymodel:build --good v1.2
    nqperf bisect mymodel:build --good v1.2 --bad main --factor 1.03
    nqperf bisect --variants prepare-wordpiece --good v1.2

    \b
    Exit codes: 0 found; 1 the bad revision is not slower, or it cannot be told which; 2 bad input; 130 interrupted.
    """
    row = options["variants"]
    if (target is None) == (row is None):
        raise click.UsageError("name what became slower: MODULE:BUILD, or --variants ROW for a row of the suite")
    if row is None and options["model"] is not None:
        raise click.UsageError("--model is of a row of the suite: name it by --variants ROW")
    with suite_progress(quiet=options["quiet"]) as progress:
        names = ("factor", "most", "seed", "fresh")
        config = BisectConfig(progress=progress, **{name: options[name] for name in names})
        between = (options["good"], options["bad"], Path.cwd(), config)
        if target is None:
            found = bisect_row(RowsAsked(variants=tuple(row.split(",")), model=options["model"]), *between)
        else:
            found = bisect(target, *between)
    if not options["quiet"]:
        repository = Repository.around(Path.cwd())
        click.echo(bisected_text(found, [repository.stat(commit.sha) for commit in found.commits]))
    raise SystemExit(0 if found.commits or found.steps else 1)
