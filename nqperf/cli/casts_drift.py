"""`nqperf casts drift` and `bisect`: how far 16 bits are from float32, and which layers must stay in float32."""

from __future__ import annotations

import sys
from typing import Any

import click

from nqperf.cli.casts_audit import CODES, EXIT_FINDINGS, PRECISIONS

_data_options = (
    click.option("--precision", type=click.Choice(PRECISIONS), default="mixed_float16", show_default=True),
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


@click.command(epilog=CODES, short_help="Measure how far 16 bits are from float32, layer by layer.")
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


@click.command(short_help="Find the fewest layers to keep in float32.")
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
