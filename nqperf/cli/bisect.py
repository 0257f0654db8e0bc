"""The command that finds the commit which made a builder slower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nqperf.cli import options as shared
from nqperf.cli.bench import suite_progress
from nqperf.perf.revisions.bisect import BisectConfig, bisect
from nqperf.perf.revisions.git import Repository
from nqperf.report.revisions import bisected_text


@click.command("bisect")
@click.argument("target", metavar="MODULE:BUILD")
@shared.option("--good", required=True, metavar="REVISION", help="A revision that is fast.")
@shared.option("--bad", default="HEAD", metavar="REVISION", help="A later revision that is slow.")
@shared.option("--factor", type=float, default=1.05, help="The least slowdown that is searched for: 1.05 is 5 %.")
@shared.option("--most", type=int, default=100, help="Sets of fresh processes that may be measured in all.")
@shared.option("--seed", type=int, default=0, help="Draws the orders.")
@shared.option("--fresh", is_flag=True, help="Start over instead of going on where an earlier start ended.")
@shared.quiet_option
def bisect_command(target: str, **options: Any) -> None:
    """Find the commit between two revisions that made what MODULE:BUILD builds slower.

    Each step measures one commit beside the good one, in fresh processes; a commit in doubt is measured again. Commits
    that do not build are passed over. The same command goes on after a kill.

    \b
    nqperf bisect mymodel:build --good v1.2
    nqperf bisect mymodel:build --good v1.2 --bad main --factor 1.03

    \b
    Exit codes: 0 found; 1 the bad revision is not slower, or it cannot be told which; 2 bad input; 130 interrupted.
    """
    with suite_progress(quiet=options["quiet"]) as progress:
        names = ("factor", "most", "seed", "fresh")
        config = BisectConfig(progress=progress, **{name: options[name] for name in names})
        found = bisect(target, options["good"], options["bad"], Path.cwd(), config)
    if not options["quiet"]:
        repository = Repository.around(Path.cwd())
        click.echo(bisected_text(found, [repository.stat(commit.sha) for commit in found.commits]))
    raise SystemExit(0 if found.commits or found.steps else 1)
