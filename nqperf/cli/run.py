"""The main command: the whole route, from a data file to its score."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.console import progress, report_skipped, start_engine, table, warn_of_new_heads
from nqperf.cli.scores import scores_table
from nqperf.defaults import PACKAGED_MODEL, DevelopmentSet
from nqperf.engines.registry import find_engine
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.weights.model_folder import read_model_folder
from nqperf.pipeline import PipelineConfig
from nqperf.run import RunConfig, RunResult, run


@click.command("run", short_help="Answer a Natural Questions file and score the answers.")
@click.argument("data", required=False)
@shared.option("--model", type=shared.PATH, help="The model folder.  [default: the packaged nq-mini]")
@shared.option("--out", type=shared.PATH, required=True, help="The folder for the five files of the run.")
@shared.option("--features", type=shared.PATH, help="Features to use again instead of making them.")
@shared.together(
    shared.selection_options,
    shared.feature_options,
    shared.engine_options,
    shared.answer_options,
    shared.threshold_option,
    shared.quiet_option,
    shared.json_option,
)
def run_command(data: str | None, model: Path | None, out: Path, **options: Any) -> None:
    """Answer DATA (a .jsonl or .jsonl.gz of Natural Questions, a glob pattern, or -) and score the answers.

    Without DATA, the fixed development set of the generated world is answered; without --model, the packaged nq-mini
    answers. Leaves features.tfrecord, logits.npz, predictions.json, metrics.json (if DATA is annotated) and run.json
    (configuration, versions, device, observed switches, seconds) in --out.

    \b
    nqperf run --out out/
    nqperf run dev.jsonl.gz --model models/bert-joint --limit 40 --out out/
    nqperf run dev.jsonl.gz --model models/bert-joint --features out/features.tfrecord --xla --out out-xla/
    """
    model = model or PACKAGED_MODEL
    context, features = shared.feature_config(options)
    config = RunConfig(
        model=model,
        out=out,
        features=options["features"],
        pipeline=PipelineConfig(context=context, features=features, answers=shared.answer_config(options)),
        engine=options["engine"],
        settings=shared.engine_settings(options),
        long_threshold=options["long_threshold"],
        short_threshold=options["short_threshold"],
        non_null_threshold=options["non_null_threshold"],
    )
    selection = shared.selection(options)
    reader = DevelopmentSet(selection=selection) if data is None else NqReader(source=data, selection=selection)
    # A fault that is seen without the engine's library is said before its start-up.
    warn_of_new_heads(read_model_folder(model))
    start_engine(find_engine(config.engine))
    with progress({"windows": None, "examples": options["limit"]}, quiet=options["quiet"]) as advance:
        result = run(reader, config, advance)
    report_skipped(reader.skipped)
    if options["as_json"]:
        plain = {**dataclasses.asdict(result), "skipped": len(result.skipped), "out": str(out)}
        click.echo(msgspec.json.encode(plain).decode())
    elif not options["quiet"]:
        click.echo(_summary(result, out))


def _summary(result: RunResult, out: Path) -> str:
    seconds = [(name, f"{spent:.2f}") for name, spent in result.seconds.items()]
    rate = result.windows / result.seconds["predict"]
    if result.metrics is None or result.non_null_threshold is None:
        scores = "no annotations in the data, so no scores"
    else:
        scores = scores_table(result.metrics, result.non_null_threshold)
    return "\n\n".join(
        (
            scores,
            table(("stage", "seconds"), seconds)
            + "\nprepare runs beside predict, so the stages may add up to more than the total",
            f"{result.examples} examples, {result.windows} windows, {rate:.1f} windows/s in predict; files in {out}",
        )
    )
