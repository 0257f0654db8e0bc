"""The command that compares one builder in two revisions of its project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from nqperf.cli import options as shared
from nqperf.cli.console import suite_progress
from nqperf.cli.revisions import MARGINS, base_asked, base_options, by_the_base, deliver, margin_options
from nqperf.formats.files import require_places
from nqperf.perf.revisions.compare import compare_revisions, require_target
from nqperf.perf.revisions.config import RevisionsConfig
from nqperf.perf.revisions.sides import both_sides, project_of
from nqperf.plain_text import command_line

_BUDGET = 180.0


@click.command("ab")
@click.argument("target", metavar="MODULE:BUILD")
@base_options
@margin_options
@shared.option("--budget", type=shared.SECONDS, default=_BUDGET, help="Seconds that measuring may take.")
@shared.option("--pages", type=click.Choice(["huge", "plain"]), default="huge", help="Memory pages of both sides.")
@shared.option("--seed", type=int, default=0, help="Draws the orders.")
@shared.option("--out", type=shared.PATH, help="Write the results as JSON.")
@shared.option("--allow-inconclusive", is_flag=True, help="Exit with 0 where speed could not be told.")
@shared.together(shared.quiet_option, shared.json_option)
def ab_command(target: str, **options: Any) -> None:
    """Hold what MODULE:BUILD builds in this working tree against the same in another revision or environment.

    BUILD is called without arguments and returns a callable without arguments, whose run is timed. Both sides run in
    fresh processes: first their outputs are compared, then the time of a run, peak memory and the time to start.

    \b
    nqperf ab mymodel:build --base main
    nqperf ab benchmarks.work:build --base v1.2 --margin 0.05 --out ab.json
    nqperf ab mymodel:build --base-python /envs/numpy2

    \b
    Exit codes: 0 no slower; 1 slower, other answers, or the change fails; 2 bad input; 3 INCONCLUSIVE (0 with
    --allow-inconclusive).
    """
    require_places(out=options["out"])
    require_target(target)
    asked = base_asked(options)
    names = (*MARGINS, "budget", "pages", "seed")
    with suite_progress(quiet=options["quiet"]) as progress:
        config = RevisionsConfig(
            command=command_line(["nqperf", *sys.argv[1:]]),
            progress=progress,
            **{name: options[name] for name in names},
        )
        folder = Path.cwd()
        with both_sides(asked, folder, target=target) as sides:
            options, config = by_the_base(options, config, sides, _BUDGET)
            results = compare_revisions(target, sides, project_of(folder)[0], config=config)
    deliver(results, options)
