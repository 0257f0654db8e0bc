"""`nqperf casts`: audit a model's dtypes, measure its drift from float32, find what must stay in float32."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nqperf.cli.start_up import show_logs
from nqperf.errors import ConfigError

if TYPE_CHECKING:
    from nqperf.casts.findings import Audit
    from nqperf.casts.targets import Target
    from nqperf.casts.trace.records import Trace

EXIT_FINDINGS = 1
EXIT_BAD_INPUT = 2
EXIT_UNSURE = 3

_PRECISIONS = ("mixed_float16", "mixed_bfloat16", "float32")
_CODES = (
    "Exit codes: 0 clean; 1 findings, or the ledger does not hold; 2 bad input; 3 no verdict (UNSUPPORTED versions, "
    "or a trace that stopped early)."
)
_PATH = click.Path(path_type=Path)


@click.group()
def casts() -> None:
    """Find every dtype conflict of a model in one trace, and keep a ledger of its casts.

    \b
    nqperf casts audit mypackage.models:build --precision mixed_float16
    nqperf casts audit --ledger casts.lock.json
    """


@casts.command(epilog=_CODES)
@click.argument("model", required=False)
@click.option("--precision", type=click.Choice(_PRECISIONS), multiple=True, help="What the layers should compute in.")
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input: float16[2,8] or ids=int32[2,8].")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif", "github"]), default="text")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--sarif", type=_PATH, help="Write SARIF 2.1.0 here too.")
@click.option("--ledger", type=_PATH, help="Compare the casts with this ledger.")
@click.option("--update", is_flag=True, help="Write the ledger instead of comparing; refused when CI is set.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    callback=show_logs,
    help="List what is wide by design too, and show the log lines of TensorFlow and other libraries.",
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
    from nqperf.casts.audit import audit_target
    from nqperf.casts.targets import resolve
    from nqperf.casts.trace.hooks import UnsupportedError

    try:
        target = resolve(model, options["inputs"])
        wanted: tuple[str | None, ...] = precision or ((None,) if model is not None else _PRECISIONS[:2])
        outcomes = [audit_target(target, each) for each in wanted]
    except UnsupportedError as error:
        click.echo(f"nqperf: {error}", err=True)
        sys.exit(EXIT_UNSURE)
    audits = [each for each, _ in outcomes]
    _show(audits, "json" if options["as_json"] else form, verbose=options["verbose"])
    if options["sarif"] is not None:
        from nqperf.formats.files import write_whole
        from nqperf.report.sarif import to_sarif

        write_whole(options["sarif"], to_sarif(audits).encode())
    broken = _ledger(options["ledger"], target, outcomes, update=options["update"])
    if not all(each.complete for each in audits):
        sys.exit(EXIT_UNSURE)
    if broken or any(each.findings for each in audits):
        sys.exit(EXIT_FINDINGS)


_data_options = (
    click.option("--precision", type=click.Choice(_PRECISIONS), default="mixed_float16", show_default=True),
    click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input: float16[2,8] or ids=int32[2,8]."),
    click.option("--data", metavar="FILE", help="Natural Questions examples to run; without it seeded random inputs."),
    click.option("--limit", type=int, default=4, show_default=True, help="Examples read from --data."),
    click.option("--max-seq-length", type=int, default=384, show_default=True, help="Positions of one input."),
    click.option("--batch-size", type=int, default=8, show_default=True, help="Windows run at once."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output."),
)


def _with_data(command: Any) -> Any:
    for decorator in reversed(_data_options):
        command = decorator(command)
    return command


@casts.command(epilog=_CODES)
@click.argument("model", required=False)
@_with_data
def drift(model: str | None, precision: str, *, as_json: bool, **options: Any) -> None:
    """Measure how far MODEL in 16 bits is from float32: per layer, locally and propagated, and on the task.

    MODEL is a model folder, or module:function with a parameter named precision. Without MODEL it is the packaged
    model. Exit code 1 means that values which are not finite, little headroom or flushed values were found.

    \b
    nqperf casts drift models/bert-joint --data dev.jsonl.gz --limit 4
    nqperf casts drift mypackage.models:build --precision mixed_bfloat16 --json
    """
    from nqperf.casts import drift as drifts
    from nqperf.casts.inputs import inputs_for
    from nqperf.casts.targets import resolve
    from nqperf.casts.twins import build_twins
    from nqperf.report.casts_text import drift_text

    target = resolve(model, options.pop("inputs"))
    data = inputs_for(target, **options)
    twins = build_twins(target, precision, data.batches[0])
    found = drifts.measure(twins, data.batches, name=target.name, precision=precision)
    task = data.task_drift(twins)
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({**found.to_dict(), "task": asdict(task) if task is not None else None}, indent=2))
    else:
        click.echo(drift_text(found, task))
    if found.findings:
        sys.exit(EXIT_FINDINGS)


@casts.command()
@click.argument("model", required=False)
@click.option(
    "--tolerance", type=float, default=0.01, show_default=True, help="Largest relative L2 error of an output."
)
@_with_data
def bisect(model: str | None, precision: str, tolerance: float, *, as_json: bool, **options: Any) -> None:
    """Find a 1-minimal set of layers of MODEL to keep in float32, so that every output is within --tolerance.

    \b
    nqperf casts bisect models/bert-joint --data dev.jsonl.gz --limit 1 --tolerance 0.001
    """
    from nqperf.casts.bisect import bisect as search
    from nqperf.casts.inputs import inputs_for
    from nqperf.casts.targets import resolve
    from nqperf.casts.twins import build_twins
    from nqperf.report.casts_text import bisection_text

    target = resolve(model, options.pop("inputs"))
    data = inputs_for(target, **options)
    found = search(build_twins(target, precision, data.batches[0]), data.batches, tolerance=tolerance)
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps(asdict(found), indent=2))
    else:
        click.echo(bisection_text(found))


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

        for each in audits:
            print_audit(each, Console(highlight=False), verbose=verbose)


def _together(audits: list[Audit]) -> dict[str, object]:
    return {
        "complete": all(each.complete for each in audits),
        "findings": [finding.to_dict() for each in audits for finding in each.findings],
    }


def _ledger(path: Path | None, target: Target, outcomes: list[tuple[Audit, Trace]], *, update: bool) -> bool:
    """Write or compare the ledger; return whether it does not hold."""
    from nqperf.casts import ledger
    from nqperf.formats.casts.ledger_json import read_ledger, update_ledger

    if path is None:
        if update:
            raise ConfigError("--update writes a ledger: name it with --ledger FILE")
        return False
    held = {audit.precision: ledger.records(trace) for audit, trace in outcomes}
    if update:
        if os.environ.get("CI"):
            raise ConfigError("--update is refused when CI is set: accept changed casts where a person sees them")
        update_ledger(path, held, model=target.name, versions=outcomes[0][0].versions)
        click.echo(f"wrote {path}", err=True)
        return False
    recorded = read_ledger(path, model=target.name)
    broken = False
    for precision, records in held.items():
        if precision not in recorded:
            raise ConfigError(f"{path} has no {precision}; it has {', '.join(recorded)}: write it anew with --update")
        for change in ledger.difference(recorded[precision], records):
            click.echo(f"ledger {precision}: {change}", err=True)
            broken = True
    return broken
