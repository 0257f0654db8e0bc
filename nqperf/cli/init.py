"""The command that gives a project its own gate."""

from __future__ import annotations

from pathlib import Path

import click

from nqperf.cli import options as shared
from nqperf.cli.own_action import action_named, own_action
from nqperf.errors import ConfigError
from nqperf.formats.python_names import find_function
from nqperf.formats.starter_files import OPEN, TEST, WORKFLOW, write_starter_files
from nqperf.perf.revisions.config import MARGIN_RULE, NOISY_MARGIN, USUAL_MARGIN
from nqperf.perf.workers.builder_worker import BUILDER, meant

_NEXT = """next:
  {work}: {own}
  nqperf ab benchmarks.work:build --base main              # is this tree slower than main?
  git add benchmarks .github && git commit -m "A speed gate"   # then every pull request is held to its base
{test} is a template for two ways to do the same work; pull requests fail by the workflow's nqperf ab
the margin is {margin:g} %, or what [tool.nqperf] of the base's pyproject.toml says, such as margin = 0.05:
here and in the workflow {rule};
without one of yours {noisy:g} % is enough to pass where {margin:g} % cannot be told in the time"""
_UNKNOWN = """TO REPLACE: {action} in {workflow}, since where this nqperf is from is not known;
the workflow fails until OWNER/REPO is a repository on GitHub with nqperf's files that it may read, and COMMIT one of
its commits: edit the line (--action OWNER/REPO@COMMIT names them where the files are not there yet)"""


@click.command("init")
@click.argument("function", required=False, metavar="[MODULE:FUNCTION]")
@shared.option("--folder", type=shared.PATH, default=".", help="The project's folder.")
@shared.option(
    "--action",
    metavar="OWNER/REPO@COMMIT",
    help="The copy of nqperf on GitHub whose action the workflow uses.  [default: where this one is from]",
)
@shared.quiet_option
def init_command(function: str | None, folder: Path, *, action: str | None, quiet: bool) -> None:
    """Write the few files that make a pull request of your project fail when it makes something slower.

    They are benchmarks/work.py (what is measured: MODULE:FUNCTION, which is looked up and not run, or a sample to
    replace), a template of a test
    and a conftest beside it, and a workflow for GitHub. Files that are there are never replaced.

    \b
    nqperf init
    nqperf init mypackage.parsing:parse_sample
    nqperf init mypackage.parsing:parse_sample --action mycompany/nqperf@v1.0

    \b
    Exit codes: 0 written; 2 bad input, or one of the files is there, and nothing was written.
    """
    if function is not None and not BUILDER.fullmatch(function):
        raise ConfigError(f"{function!r} is no function; expected module:function{meant(function)}")
    known = action_named(action) if action is not None else own_action()
    needed: tuple[str, ...] | None = ()
    if function is not None and folder.is_dir():
        module, _, name = function.partition(":")
        needed = find_function(module, name, folder).needed
    written = write_starter_files(folder, function, known, needed or ())
    if quiet:
        return
    own = "put your own work there"
    if function is not None:
        own = (
            f"give {function} its {', '.join(needed)}, from a fixed seed"
            if needed
            else "see that a run is what you want, about 10 to 500 ms"
        )
    lines = [
        f"wrote {', '.join(written)}",
        _NEXT.format(
            test=TEST, work=written[1], own=own, margin=100 * USUAL_MARGIN, noisy=100 * NOISY_MARGIN, rule=MARGIN_RULE
        ),
    ]
    click.echo("\n".join(lines + ([] if known else [_UNKNOWN.format(action=OPEN, workflow=WORKFLOW)])))
