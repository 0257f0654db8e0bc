"""The command that compares one builder in two revisions of its project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.bench import suite_progress
from nqperf.formats.files import require_places
from nqperf.formats.results.revisions_json import write_revisions
from nqperf.formats.results.step_summary import append_step_summary
from nqperf.perf.revisions.compare import compare_revisions
from nqperf.perf.revisions.config import RevisionsConfig
from nqperf.perf.revisions.sides import BaseAsked, both_sides, project_of
from nqperf.plain_text import command_line
from nqperf.report.revisions import revisions_markdown, revisions_text

_EXIT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


@click.command("ab")
@click.argument("target", metavar="MODULE:BUILD")
@shared.option("--base", "revision", metavar="REVISION", help="The commit, branch or tag to hold this tree against.")
@shared.option("--base-path", "path", type=shared.PATH, help="A folder with the base's files, instead of a revision.")
@shared.option("--base-python", "python", metavar="PYTHON", help="The base's interpreter or environment.")
@shared.option("--margin", type=float, default=0.02, help="The slowdown of a run that fails: 0.02 is 2 %.")
@shared.option("--memory-margin", type=float, default=0.10, help="The growth of peak memory that fails.")
@shared.option("--start-margin", type=float, default=0.25, help="The growth of the time to start that fails.")
@shared.option("--budget", type=float, default=180.0, help="Seconds that measuring may take.")
@shared.option(
    "--how",
    type=click.Choice(["auto", "duet", "turns"]),
    default="auto",
    help="Both sides at once on half of the cores each, in turns, or what a short trial finds better.",
)
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
    asked = BaseAsked(revision=options["revision"], path=options["path"], python=options["python"])
    names = ("margin", "memory_margin", "start_margin", "budget", "how", "pages", "seed")
    with suite_progress(quiet=options["quiet"]) as progress:
        config = RevisionsConfig(
            command=command_line(["nqperf", *sys.argv[1:]]),
            progress=progress,
            **{name: options[name] for name in names},
        )
        folder = Path.cwd()
        with both_sides(asked, folder) as sides:
            results = compare_revisions(target, sides, project_of(folder)[0], config=config)
    if options["as_json"]:
        click.echo(msgspec.json.encode(results).decode())
    elif not options["quiet"]:
        click.echo(revisions_text(results))
    if options["out"] is not None:
        write_revisions(options["out"], results)
    append_step_summary(revisions_markdown(results))
    allowed = options["allow_inconclusive"] and results.outcome == "INCONCLUSIVE"
    sys.exit(0 if allowed else _EXIT[results.outcome])
