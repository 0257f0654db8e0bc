"""The command that imports checkpoints."""

from __future__ import annotations

from pathlib import Path

import click

from nqperf.cli import options as shared
from nqperf.cli.start_up import quiet_start_up
from nqperf.formats.weights.checkpoints import ConvertReport, convert


@click.command("convert", short_help="Make a model folder of a BERT checkpoint.")
@click.argument("source", type=shared.PATH)
@click.argument("out", type=shared.PATH)
@shared.option("--tokenizer", type=shared.PATH, help="The vocabulary, where it does not stand beside SOURCE.")
@shared.option("--seed", type=int, default=0, help="For tensors that SOURCE lacks, as a plain BERT's answer heads.")
@shared.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", help="How weights are stored.")
@shared.together(shared.quiet_option, shared.json_option)
def convert_command(source: Path, out: Path, **options: object) -> None:
    """Make the model folder OUT of SOURCE: a folder, or a checkpoint's prefix.

    Knows Google's BERT Joint checkpoint (TensorFlow 1), the thesis's (TensorFlow 2 objects) and Hugging Face BERT
    folders with model.safetensors. bert_config.json (or config.json) and the vocabulary are looked for beside them.

    \b
    nqperf convert downloads/bert_joint.ckpt models/bert-joint
    nqperf convert downloads/bert-base-uncased models/bert-base --seed 7
    """
    with quiet_start_up():
        report = convert(
            source,
            out,
            tokenizer=options["tokenizer"],  # type: ignore[arg-type]  # click has made it a Path or None
            seed=options["seed"],  # type: ignore[arg-type]
            dtype=options["dtype"],  # type: ignore[arg-type]
        )
    if options["as_json"]:
        click.echo(_json(report))
    elif not options["quiet"]:
        click.echo(_summary(report))


def _summary(report: ConvertReport) -> str:
    lines = [f"{report.out}: {report.tensors} tensors from {report.source_kind} {report.source}", *report.notes]
    if report.new:
        lines.append(f"new, drawn with seed {report.seed}: {', '.join(report.new)}")
    if report.unused:
        lines.append(f"not used: {', '.join(report.unused)}")
    return "\n".join(lines)


def _json(report: ConvertReport) -> str:
    import dataclasses

    import msgspec

    return msgspec.json.encode(dataclasses.asdict(report), enc_hook=str).decode()
