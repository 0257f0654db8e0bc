"""`nqperf casts drift` and `bisect`: how far 16 bits are from float32, and which layers must stay in float32."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from nqperf.cli.casts_audit import CODES, EXIT_FINDINGS, PRECISIONS, say_next
from nqperf.cli.console import users_code, work_shown
from nqperf.cli.options import PATH
from nqperf.errors import ConfigError

if TYPE_CHECKING:
    from nqperf.casts.edits.kept_layers import Kept
    from nqperf.casts.inputs import Inputs
    from nqperf.casts.targets import Target

_data_options = (
    click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input: float16[2,8] or ids=int32[2,8]."),
    click.option(
        "--import", "imports", multiple=True, metavar="MODULE", help="Import this first: a .keras file's own layers."
    ),
    click.option("--data", metavar="FILE", help="Natural Questions examples to run; without it seeded random inputs."),
    click.option(
        "--inputs",
        "arrays",
        type=PATH,
        metavar="FILE",
        help="Run the rows of this .npz, all or --limit: an array an input.",
    ),
    click.option(
        "--limit", type=int, help="Use only so many rows or examples.  [default: all of --inputs, 4 of --data]"
    ),
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
@click.option(
    "--precision", type=click.Choice(PRECISIONS), multiple=True, help="Repeatable.  [default: both types of 16 bits]"
)
@click.option("--tolerance", type=float, help="Largest relative L2 error of an output [default: 0.05, bfloat16 0.25].")
@_with_data
def drift(
    model: str | None, precision: tuple[str, ...], tolerance: float | None, *, as_json: bool, **options: Any
) -> None:
    """Measure how far MODEL in 16 bits is from float32: per layer, locally and propagated, and on the task.

    MODEL is a model folder, a .keras file, or module:function that builds a model. Without MODEL it is the packaged
    model. Without --data or --inputs the inputs are seeded: ids of the vocabulary, masks with padding, normal floats.
    The last line of each type is the verdict with its reason; exit code 1 means that one does not hold: an output is
    too far off, or values which are not finite, little headroom or flushed values that matter were found.

    \b
    nqperf casts drift mypackage.models:build --inputs batch.npz
    nqperf casts drift models/bert-joint --data dev.jsonl.gz --limit 4
    nqperf casts drift mypackage.models:build --precision mixed_bfloat16 --json
    """
    from nqperf.casts.inputs import inputs_for
    from nqperf.casts.targets import resolve

    specs, wanted = options.pop("inputs"), precision or PRECISIONS[:2]
    with users_code(), work_shown():
        target = resolve(model, specs, imports=options.pop("imports"))
        data = inputs_for(target, **options)
        measured = [_measured(target, data, each, tolerance) for each in wanted]
    if as_json:
        import json

        # One measurement is the document itself; several are listed, as those of an audit are.
        documents = [document for document, _, _ in measured]
        click.echo(json.dumps(documents[0] if len(documents) == 1 else {"drifts": documents}, indent=2))
    else:
        click.echo("\n\n".join(text for _, text, _ in measured))
    holding = [each for each, (_, _, holds) in zip(wanted, measured, strict=True) if holds]
    rows = ",".join(each for each in holding if each != "float32")
    if not as_json and rows:
        real = "" if options["arrays"] is None else f" --inputs {shlex.quote(str(options['arrays']))}"
        say_next("bench", model, specs, f"--budget 180 --variants {rows}{real}")
    if len(holding) < len(wanted):
        sys.exit(EXIT_FINDINGS)


def _measured(
    target: Target, data: Inputs, precision: str, tolerance: float | None
) -> tuple[dict[str, Any], str, bool]:
    """Return how far the `target` is off in a `precision` on the `data`, as JSON and in words, and whether it holds."""
    from dataclasses import asdict

    from nqperf.casts import drift as drifts
    from nqperf.casts.drift_verdict import verdict
    from nqperf.casts.twins import build_twins
    from nqperf.report.casts_text import drift_text

    twins = build_twins(target, precision, data.batches[0])
    found = drifts.measure(twins, data.batches, name=target.name, precision=precision, inputs=data.origin)
    task = data.task_drift(twins)
    judged = verdict(found, task, tolerance=tolerance)
    document = {**found.to_dict(), "task": None if task is None else asdict(task), "verdict": asdict(judged)}
    return document, f"{drift_text(found, task)}\n\n{judged.line}", judged.holds


@click.command(short_help="Find the fewest layers to keep in float32.")
@click.argument("model", required=False)
@click.option(
    "--tolerance", type=float, default=0.01, show_default=True, help="Largest relative L2 error of an output."
)
@click.option("--patch", type=PATH, help="Write what keeps the layers in float32 to this file.")
@click.option("--anywhere", is_flag=True, help="Edit files outside of the project too, and installed ones.")
@click.option("--precision", type=click.Choice(PRECISIONS), default="mixed_float16", show_default=True)
@_with_data
def bisect(model: str | None, precision: str, tolerance: float, *, as_json: bool, **options: Any) -> None:
    """Find a 1-minimal set of layers of MODEL to keep in float32, so that every output is within --tolerance.

    They are printed with the patch that makes them so (dtype="float32" where they are made, and the casts that it
    takes), which has been built, traced and run; where it does not come to what the search has found, the reason.

    \b
    nqperf casts bisect models/bert-joint --data dev.jsonl.gz --limit 1 --tolerance 0.001
    nqperf casts bisect mypackage.models:build --tolerance 0.001 --patch keep.patch
    """
    from nqperf.casts.bisect import bisect as search
    from nqperf.casts.inputs import inputs_for
    from nqperf.casts.keeping import patch_to_keep
    from nqperf.casts.targets import resolve
    from nqperf.casts.twins import build_twins
    from nqperf.formats.files import require_places, write_whole
    from nqperf.report.casts_text import bisection_text

    patch, anywhere = options.pop("patch"), options.pop("anywhere")
    require_places(patch=patch)
    with users_code(), work_shown():
        target = resolve(model, options.pop("inputs"), imports=options.pop("imports"))
        data = inputs_for(target, **options)
        found = search(build_twins(target, precision, data.batches[0]), data.batches, tolerance=tolerance)
        kept: Kept | str = "nothing needs float32"
        if found.layers:
            kept = patch_to_keep(target, precision, found.layers, data.batches, tolerance=tolerance)
    diff, why = _diff(kept, anywhere=anywhere)
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({**asdict(found), "patch": diff or None, "no_patch": why}, indent=2))
    else:
        click.echo(bisection_text(found))
        if found.layers:
            click.echo(f"\nno patch: {why}" if why else f"\n{_about(kept)}\n{diff}", nl=bool(why))
    if patch is not None and diff:
        write_whole(patch, diff.encode())


def _diff(kept: Kept | str, *, anywhere: bool) -> tuple[str, str | None]:
    """Return the patch as `git apply` takes it, and why there is none."""
    from nqperf.casts.edits.patch import patch_to

    if isinstance(kept, str):
        return "", kept
    try:
        return patch_to(kept.texts, kept.imports, anywhere=anywhere).diff, None
    except ConfigError as refused:
        return "", str(refused)


def _about(kept: Kept | str) -> str:
    assert not isinstance(kept, str)  # noqa: S101  # the caller has a patch; this tells the type checker
    also = f", and with them {', '.join(kept.also)}, which the same lines make" if kept.also else ""
    return f"the patch that does so (relative error {kept.error:.3g}{also}):"
