"""The command that gives a project its own gate."""

from __future__ import annotations

from pathlib import Path

import click

from nqperf.cli import options as shared
from nqperf.errors import ConfigError
from nqperf.formats.starter_files import write_starter_files
from nqperf.perf.workers.builder_worker import BUILDER

_NEXT = """next:
  {work}: put your own work there
  python -m pytest benchmarks                              # measures it here (with pytest-xdist: -n 0)
  nqperf ab benchmarks.work:build --base main              # is this tree slower than main?
  git add benchmarks .github && git commit -m "A speed gate"   # then every pull request is held to its base
settings stand in [tool.nqperf] of pyproject.toml, such as margin = 0.05, the slowdown that fails"""


@click.command("init")
@click.argument("function", required=False, metavar="[MODULE:FUNCTION]")
@shared.option("--folder", type=shared.PATH, default=".", help="The project's folder.")
@shared.quiet_option
def init_command(function: str | None, folder: Path, *, quiet: bool) -> None:
    """Write the few files that make a pull request of your project fail when it makes something slower.

    They are benchmarks/work.py (what is measured: MODULE:FUNCTION, called without arguments, or a sample to replace),
    a test and a conftest beside it, and a workflow for GitHub. Files that are there are never replaced.

    \b
    nqperf init
    nqperf init mypackage.parsing:parse_sample

    \b
    Exit codes: 0 written; 2 bad input, or one of the files is there, and nothing was written.
    """
    if function is not None and not BUILDER.fullmatch(function):
        raise ConfigError(f"{function!r} is no function; expected module:function")
    written = write_starter_files(folder, function)
    if not quiet:
        click.echo("\n".join((f"wrote {', '.join(written)}", _NEXT.format(work=written[1]))))
