"""`nqperf casts fix`: all edits that work, as one patch; `nqperf casts rule`: what a rule means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nqperf.cli.casts_audit import (
    CODES,
    EXIT_FINDINGS,
    EXIT_UNSURE,
    PRECISIONS,
    outcomes_of,
    say_next,
    say_next_of,
)
from nqperf.cli.console import users_code, work_shown
from nqperf.cli.options import PATH
from nqperf.errors import ConfigError
from nqperf.plain_text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nqperf.casts.edits.patch import Patch
    from nqperf.casts.findings import Finding


@click.command(epilog=CODES, short_help="Mend what the audit finds, by edits that were tried.")
@click.argument("model")
@click.option("--precision", type=click.Choice(PRECISIONS[:2]), default=PRECISIONS[0], show_default=True)
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input: float16[2,8] or ids=int32[2,8].")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Import this first.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), help="Where it is to run; without it, what is here.")
@click.option("--write", is_flag=True, help="Write the edits to the files.")
@click.option("--patch", type=PATH, help="Write the edits to this file, as a patch.")
@click.option("--anywhere", is_flag=True, help="Edit files outside of the project too, and installed ones.")
def fix(model: str, precision: str, *, write: bool, anywhere: bool, patch: Path | None, **options: Any) -> None:
    """Mend what the audit finds in MODEL: every edit has been applied in memory, traced and run before.

    Without --write or --patch the patch is printed. Files are edited all together or not at all, and keep their
    formatting, comments and newlines. With --write the audit is run again and says what is left.

    \b
    nqperf casts fix mypackage.models:build
    nqperf casts fix mypackage.models:build --patch casts.patch
    nqperf casts fix mypackage.models:build --write
    """
    from nqperf.casts.edits.patch import patch_of
    from nqperf.casts.targets import resolve
    from nqperf.formats.casts.source_files import write_sources
    from nqperf.formats.files import require_places, write_whole

    if write and patch is not None:
        raise ConfigError("--write and --patch are two ways to keep the edits: choose one")
    require_places(patch=patch)
    with users_code(), work_shown():
        target = resolve(model, options["inputs"], imports=options["imports"])
        ((audit, _),) = outcomes_of(target, (precision,), options["device"])
    made = patch_of(audit.findings, anywhere=anywhere)
    left = len(audit.findings) - made.mended
    if write:
        write_sources(made.after)
    elif patch is not None:
        write_whole(patch, made.diff.encode())
    else:
        click.echo(made.diff, nl=False)
        if made.diff:
            click.echo(err=True)  # what follows is no part of the patch
    click.echo(summary_line(target.name, made, left, written=write), err=True)
    _tell(audit.findings)
    if not audit.complete:
        sys.exit(EXIT_UNSURE)
    if write and made.after:
        sys.exit(_again(model, precision, options))
    if not made.after:
        say_next_of(model, [audit], options["inputs"])
    else:
        _say_next(model, options["inputs"], precision, patch)
    if left:
        sys.exit(EXIT_FINDINGS)


def _tell(findings: Iterable[Finding]) -> None:
    """Say of `findings` what their edits change in float32, and what is to be done where there is none."""
    for finding in findings:
        place = f"{finding.rule} {finding.path}:{finding.line}"
        if finding.changes_in_float32:
            click.echo(f"{place}: in the float32 model, too, {'; '.join(finding.changes_in_float32)}", err=True)
        if finding.fix is None:
            click.echo(f"{place}: {finding.edit} ({finding.unverified})", err=True)


def _say_next(model: str, inputs: tuple[str, ...], precision: str, patch: Path | None) -> None:
    """Say what to run next where there are edits that stand in no file yet: in `patch`, or on standard output."""
    if patch is not None:
        say_next("casts audit", model, inputs, f"--precision {precision} (after git apply {patch})")
    else:
        say_next("casts fix", model, inputs, f"--precision {precision} --write (makes these edits)")


def _again(model: str, precision: str, options: dict[str, Any]) -> int:
    """Audit the files as they are now, in a process that has not imported them yet; return its exit code."""
    from nqperf.perf.machine.environment import python_command

    words = python_command("nqperf.cli.main", "casts", "audit", model, "--precision", precision)
    for name, key in (("--input", "inputs"), ("--import", "imports")):
        words += [word for value in options[key] for word in (name, value)]
    if options["device"] is not None:
        words += ["--device", options["device"]]
    return subprocess.run(words, check=False).returncode


@click.command(short_help="Explain a rule, or list all of them.")
@click.argument("name", required=False)
def rule(name: str | None) -> None:
    """Explain the rule NAME with an example and its edit; without NAME list all rules.

    \b
    nqperf casts rule CAST001
    """
    from nqperf.formats.casts.rule_pages import rule_page, rule_titles

    if name is None:
        click.echo("\n".join(f"{each}  {title}" for each, title in rule_titles().items()))
    else:
        click.echo(rule_page(name), nl=False)


def summary_line(name: str, made: Patch, left: int, *, written: bool) -> str:
    """Return what was `made` of the findings in the model called `name`; for so many are `left` there is no edit.

    `written` says that the edits stand in the files.
    """
    if not made.mended and not left:
        return f"{name}: the audit finds nothing, so there is nothing to mend"
    names = ", ".join(file.path.name for file in made.before) or "no file"
    done = "mended" if written else "can be mended"
    nothing = "" if written or not made.mended else "; no file is changed"
    return f"{counted(made.mended, 'finding')} {done} in {names}; {left} without an edit that works{nothing}"
