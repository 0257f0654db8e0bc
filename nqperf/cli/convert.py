"""The command that imports checkpoints, and writes model folders as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nqperf.cli import options as shared
from nqperf.cli.start_up import quiet_start_up
from nqperf.errors import ConfigError
from nqperf.formats.weights.checkpoints import ConvertReport, convert, find_source
from nqperf.formats.weights.model_folder import check_replaceable, open_model
from nqperf.model.weights import some_of

if TYPE_CHECKING:
    from nqperf.perf.export.int8_search import Int8Search
    from nqperf.perf.export.onnx import ExportReport

_ONNX = ".onnx"


@click.command("convert")
@click.argument("source", type=shared.MODEL)
@click.argument("out", type=shared.PATH)
@shared.option("--tokenizer", type=shared.PATH, help="The vocabulary, where it does not stand beside SOURCE.")
@shared.option(
    "--seed", type=int, help="For tensors that SOURCE lacks, as a plain encoder's answer heads.  [default: 0]"
)
@shared.option("--dtype", type=click.Choice(["float32", "float16"]), help="How weights are stored.  [default: float32]")
@shared.option(
    "--ema/--no-ema",
    default=None,
    help="Take the moving averages of the weights, or the weights, where SOURCE holds both.  [default: asks]",
)
@shared.option("--int8", is_flag=True, help="Products of an ONNX file in 8 bits, where its answers stay the same.")
@shared.together(shared.force_option, shared.quiet_option, shared.json_option)
def convert_command(source: Path, out: Path, **options: object) -> None:
    """Make the model folder OUT of SOURCE, a folder or a checkpoint's prefix; where OUT ends in .onnx, an ONNX file.

    Knows Google's BERT and ALBERT checkpoints (TensorFlow 1: pre-trained, of SQuAD or of BERT Joint), the thesis's
    (TensorFlow 2 objects) and Hugging Face folders of BERT, TinyBERT, ALBERT, DistilBERT, RoBERTa and GPT-2, with
    safetensors or PyTorch's weights, whole or in shards. bert_config.json, albert_config.json or config.json and the
    vocabulary are looked for beside them. Heads that SOURCE lacks are new, and their answers random; heads of other
    tasks are left out.

    A model folder or ONNX file that is there is replaced with --force only, whole or not at all.

    An ONNX file is made of a model folder (extra onnxruntime). It reads and gives what nqperf's features and logits
    are named, int32 and float32, at any batch and length; above 2 GB its values stand in OUT.onnx.data.

    \b
    nqperf convert downloads/bert_joint.ckpt models/bert-joint
    nqperf convert downloads/bert_joint.ckpt models/bert-joint --dtype float16 --force
    nqperf convert downloads/bert-base-uncased models/bert-base --seed 7
    nqperf convert downloads/roberta-base models/roberta-base
    nqperf convert models/bert-joint bert-joint.onnx
    nqperf convert models/bert-joint bert-joint-int8.onnx --int8
    """
    if out.suffix == _ONNX:
        _export(source, out, options)
        return
    if options["int8"]:
        raise ConfigError(f"--int8 is for ONNX files, and {out} does not end in {_ONNX}: name one that does")
    if source.resolve() != out.resolve():  # which is refused as that
        find_source(source)  # what is missing, before what is in the way
        check_replaceable(out, force=bool(options["force"]))
    with quiet_start_up():
        report = convert(
            source,
            out,
            tokenizer=options["tokenizer"],  # type: ignore[arg-type]  # click has made it a Path or None
            seed=options["seed"] or 0,  # type: ignore[arg-type]
            dtype=options["dtype"] or "float32",  # type: ignore[arg-type]
            averages=options["ema"],  # type: ignore[arg-type]
        )
    if report.untrained and not options["quiet"]:
        click.echo("nqperf: warning: THE SPAN HEAD IS NEW: answers are random until the model is trained", err=True)
    if options["as_json"]:
        click.echo(_json(report))
    elif not options["quiet"]:
        click.echo(_summary(report))


def _export(source: Path, out: Path, options: dict[str, object]) -> None:
    """Write a model folder as an ONNX file.

    Raises: ConfigError for an option that is for the other kind of output, FormatError for a file that is there.
    """
    from nqperf.perf.export.onnx import export_onnx

    for name in ("tokenizer", "seed", "dtype", "ema"):
        if options[name] is not None:
            raise ConfigError(f"--{name} is for model folders, and {out} is to be an ONNX file: leave it out")
    open_model(source)  # what is missing, before what is in the way
    shared.refuse_replacing(out, force=bool(options["force"]))
    report = export_onnx(source, out, int8=bool(options["int8"]))
    if options["as_json"]:
        click.echo(_json(report))
    elif not options["quiet"]:
        click.echo(f"{out}: {report.nodes} nodes, {report.tensors} tensors ({report.bytes / 1e6:.0f} MB) from {source}")
        if report.search is not None:
            click.echo(_search(report.search))


def _search(found: Int8Search) -> str:
    agreed = found.agreement
    bits = "7" if found.reduced_range else "8"
    return (
        f"weights have {bits} bits; left in float32: {', '.join(found.wide)}\n"
        f"{agreed.changed} of {agreed.compared} predictions changed on generated pages, micro-F1 {agreed.value:.4f} "
        f"against {agreed.baseline_value:.4f}; {found.tried} sets tried"
    )


def _summary(report: ConvertReport) -> str:
    lines = [f"{report.out}: {report.tensors} tensors from {report.source_kind} {report.source}", *report.notes]
    if report.new:
        lines.append(f"new, drawn with seed {report.seed}: {', '.join(report.new)}")
    if report.unused:
        lines.append(f"heads of other tasks, left out: {some_of(report.unused)}")
    if report.left_out:
        lines.append(f"left by training, {len(report.left_out)} left out: {some_of(report.left_out)}")
    return "\n".join(lines)


def _json(report: ConvertReport | ExportReport) -> str:
    import dataclasses

    import msgspec

    return msgspec.json.encode(dataclasses.asdict(report), enc_hook=str).decode()
