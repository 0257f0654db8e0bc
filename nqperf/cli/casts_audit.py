"""`nqperf casts audit`: conflicts, promotions, demotions and constants, from one trace without weights."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nqperf.cli.console import users_code, work_shown
from nqperf.cli.options import PATH
from nqperf.cli.start_up import show_logs
from nqperf.errors import ConfigError, NqPerfError

if TYPE_CHECKING:
    from nqperf.casts.findings import Audit
    from nqperf.casts.targets import Target
    from nqperf.casts.trace.records import Trace

EXIT_FINDINGS = 1
EXIT_BAD_INPUT = 2
EXIT_UNSURE = 3

PRECISIONS = ("mixed_float16", "mixed_bfloat16", "float32")
CODES = (
    "Exit codes: 0 clean; 1 findings, or the ledger does not hold; 2 bad input; 3 no verdict (UNSUPPORTED versions, "
    "a trace that stopped early, or a fault of the audit itself)."
)


def outcomes_of(target: Target, precision: tuple[str, ...], device: str | None) -> list[tuple[Audit, Trace]]:
    """Return the audits of a `target` with their traces, in each `precision` asked for, or in both of 16 bits.

    A target that says its precision itself is audited in that one where none is asked for. `device` is where the model
    is to run, "cpu" or "gpu", None for what is here. A fault of the audit itself, or of the installed versions, ends
    the program with the code for "no verdict".
    """
    from nqperf.casts.audit import audit_target
    from nqperf.casts.trace.hooks import UnsupportedError

    own = target.sealed is not None or (target.inputs is not None and not target.builds)
    wanted: tuple[str | None, ...] = precision or ((None,) if own else PRECISIONS[:2])
    try:
        return [audit_target(target, each, device=device) for each in wanted]
    except UnsupportedError as error:
        click.echo(f"nqperf: {error}", err=True)
    except NqPerfError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it is no finding and no fault of the model
        name = type(error).__name__
        click.echo(
            f"nqperf: the audit itself failed ({name}: {error}): no verdict is given; please report it", err=True
        )
    sys.exit(EXIT_UNSURE)


@click.command(epilog=CODES, short_help="Find conflicts, promotions, demotions and constants in one trace.")
@click.argument("model", required=False)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    multiple=True,
    help="What layers compute in [default: both of 16 bits].",
)
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input: float16[2,8] or ids=int32[2,8].")
@click.option(
    "--import", "imports", multiple=True, metavar="MODULE", help="Import this first: a .keras file's own layers."
)
@click.option("--device", type=click.Choice(["cpu", "gpu"]), help="Where it is to run; without it, what is here.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif", "github"]), default="text")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--sarif", type=PATH, help="Write SARIF 2.1.0 here too.")
@click.option("--ledger", type=PATH, help="Compare the casts with this ledger.")
@click.option("--update", is_flag=True, help="Write the ledger instead of comparing; refused when CI is set.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    callback=show_logs,
    help="List what is wide by design and the ops by dtype, and show the log lines of TensorFlow and other libraries.",
)
def audit(model: str | None, precision: tuple[str, ...], form: str, **options: Any) -> None:
    """Audit MODEL: conflicts, promotions, demotions and constants, from one trace without weights.

    MODEL is module:function (a function that builds a Keras model, or with --input one over tensors), a .keras file,
    a model folder, or a SavedModel (sealed: constants only). Without MODEL it is the packaged model. Float32 inside one
    layer that brings it back itself, as normalisation does, is no finding; it is counted, and listed with --verbose.

    \b
    nqperf casts audit
    nqperf casts audit mypackage.models:build --precision mixed_float16 --sarif casts.sarif
    nqperf casts audit broken:forward --input float16[2,8] --input float32[2,8]
    """
    from nqperf.casts.targets import resolve
    from nqperf.formats.files import require_places, write_whole

    require_places(sarif=options["sarif"])
    with users_code(), work_shown():
        target = resolve(model, options["inputs"], imports=options["imports"])
        outcomes = outcomes_of(target, precision, options["device"])
    audits = [each for each, _ in outcomes]
    _show(audits, "json" if options["as_json"] else form, verbose=options["verbose"])
    if options["sarif"] is not None:
        from nqperf.report.sarif import to_sarif

        write_whole(options["sarif"], to_sarif(audits).encode())
    broken = _ledger(options["ledger"], target, outcomes, update=options["update"])
    if form == "text" and not options["as_json"] and options["ledger"] is None:
        say_next_of(model, audits, options["inputs"])
    if not all(each.complete for each in audits):
        sys.exit(EXIT_UNSURE)
    if broken or any(each.findings for each in audits):
        sys.exit(EXIT_FINDINGS)


def say_next(command: str, model: str | None, inputs: tuple[str, ...], rest: str) -> None:
    """Say on stderr what to run next on a `model` of the user's: `command`, its `inputs`, and the `rest`."""
    if model is not None and ":" in model:
        given = "".join(f" --input {shlex.quote(each)}" for each in inputs)
        click.echo(f"nqperf: next: nqperf {command} {model}{given} {rest}".rstrip(), err=True)


def say_next_of(model: str | None, audits: list[Audit], inputs: tuple[str, ...]) -> None:
    """Say on stderr what to run next after the `audits` of a `model`, called with `inputs`; nothing after broken ones.

    What has no edit and is but a warning is measured; what is an error is mended by hand first.
    """
    from nqperf.report.sarif import level

    if not all(each.complete for each in audits):
        return
    mended = next((each for each in audits if any(finding.fix for finding in each.findings)), None)
    if mended is not None:
        say_next("casts fix", model, inputs, f"--precision {mended.precision} (shows the edits; --write makes them)")
        return
    wrong = next((each for each in audits if any(level(found.rule) == "error" for found in each.findings)), None)
    left = next((each for each in audits if each.findings), None)
    if wrong is not None:
        say_next("casts audit", model, inputs, f"--precision {wrong.precision} (after the edits by hand)")
    elif left is not None:
        say_next("casts drift", model, inputs, f"--precision {left.precision} (what the warnings cost)")
    else:
        measured = tuple(each.precision for each in audits)
        both = measured == PRECISIONS[:2]  # what is measured where nobody names one
        say_next("casts drift", model, inputs, "" if both else " ".join(f"--precision {each}" for each in measured))


def _show(audits: list[Audit], form: str, *, verbose: bool) -> None:
    from nqperf.report.casts_text import github_annotations, print_audit
    from nqperf.report.sarif import to_sarif

    if form == "json":
        import json

        # One audit is the document itself; several are listed under their precisions.
        document = audits[0].to_dict() if len(audits) == 1 else {"audits": [each.to_dict() for each in audits]}
        if len(audits) > 1:
            document = {"schema_version": audits[0].to_dict()["schema_version"], **_together(audits), **document}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif form == "sarif":
        click.echo(to_sarif(audits), nl=False)
    elif form == "github":
        for each in audits:
            click.echo(github_annotations(each), nl=False)
    else:
        from rich.console import Console

        for number, each in enumerate(audits):
            click.echo("\n" if number else "", nl=False)
            print_audit(each, Console(highlight=False), verbose=verbose)


def _together(audits: list[Audit]) -> dict[str, object]:
    return {
        "complete": all(each.complete for each in audits),
        "findings": [finding.to_dict() for each in audits for finding in each.findings],
    }


def _ledger(path: Path | None, target: Target, outcomes: list[tuple[Audit, Trace]], *, update: bool) -> bool:
    """Write or compare the ledger; return whether it does not hold."""
    from nqperf.casts import ledger
    from nqperf.formats.casts.ledger_json import require_reviewer, update_ledger

    if path is None:
        if update:
            raise ConfigError("--update writes a ledger: name it with --ledger FILE")
        return False
    held = {audit.precision: ledger.records(trace) for audit, trace in outcomes}
    if update:
        require_reviewer("--update")
        update_ledger(path, held, model=target.name, versions=outcomes[0][0].versions)
        click.echo(f"wrote {path}", err=True)
        return False
    changed = ledger.changes(path, held, model=target.name)
    for precision, lines in changed.items():
        for line in lines:
            click.echo(f"ledger {precision}: {line}", err=True)
    return any(changed.values())
