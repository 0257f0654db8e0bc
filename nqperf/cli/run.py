"""The main command: the whole route, from a data file to its score."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf import plain_text
from nqperf.cli import options as shared
from nqperf.cli.console import progress, report_notes, report_skipped, start_engine, warn_of_new_heads
from nqperf.cli.recipe import engine_and_settings, recipe_option
from nqperf.cli.scores import scores_table
from nqperf.cli.signals import ending_between_shards
from nqperf.defaults import PACKAGED_MODEL, DevelopmentSet
from nqperf.engines.registry import find_engine
from nqperf.errors import ConfigError
from nqperf.formats.nq.chunks import ChunkSource, LinesSource
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.evaluation import NonNullThresholds
from nqperf.pipeline import PipelineConfig
from nqperf.plain_text import counted
from nqperf.report.tables import text_table
from nqperf.run import RunConfig, RunResult, run
from nqperf.shards.cluster import LOCAL, ClusterConfig


# Long: the docstring is the command's help.
@click.command("run")
@click.argument("data", required=False)
@shared.option("--model", type=shared.MODEL, help="The model folder.  [default: the packaged nq-mini]")
@shared.option("--out", type=shared.PATH, required=True, help="The folder for the five files of the run.")
@shared.option("--features", type=shared.PATH, help="Features to use again instead of making them.")
@shared.option("--shard-examples", type=int, default=128, help="Examples of a shard, which is kept when it is done.")
@shared.fresh_option
@shared.option(
    "--ray",
    is_flag=False,
    flag_value=LOCAL,
    metavar="[ADDRESS]",
    help="Answer on a Ray cluster, without ADDRESS on one of this machine (extra ray).",
)
@shared.option("--workers", type=int, help="Processes that answer, with --ray.  [default: all there is room for]")
@shared.option("--worker-cpus", type=int, default=1, help="Cores of a worker.")
@shared.option("--worker-gpus", type=float, default=0.0, help="GPUs of a worker; 0.5 puts two on one.")
@shared.option("--shard-timeout", type=float, default=3600.0, help="Seconds after which a worker counts as hung.")
@shared.together(
    shared.selection_options,
    shared.feature_options,
    shared.engine_options,
    recipe_option,
    shared.answer_options,
    shared.threshold_options,
    shared.quiet_option,
    shared.json_option,
)
def run_command(data: str | None, model: Path | None, out: Path, **options: Any) -> None:
    """Answer DATA (a .jsonl or .jsonl.gz of Natural Questions, a glob pattern, a URL, or -) and score the answers.

    Without DATA, the fixed development set of the generated world is answered; without --model, the packaged nq-mini
    answers. Leaves features.tfrecord, logits.npz, predictions.json, metrics.json (if DATA is annotated) and run.json
    (configuration, versions, device, observed switches, seconds) in --out. Shards that are done stand in its folder
    `work` until then: a run that was broken off goes on from there when the same command is given again.

    \b
    nqperf run --out out/
    nqperf run dev.jsonl.gz --model models/bert-joint --limit 40 --out out/
    nqperf run dev.jsonl.gz --model models/bert-joint --features out/features.tfrecord --xla --out out-xla/
    nqperf run dev.jsonl.gz --model models/bert-joint --recipe recipe.toml --out out/
    nqperf run s3://bucket/dev.jsonl.gz --model models/bert-joint --ray auto --worker-gpus 1 --out out/
    """
    # A fault that is seen without the engine's library is said before its start-up.
    folder = open_model(model or PACKAGED_MODEL)
    cluster = _cluster(options)
    engine, settings = engine_and_settings(options, folder)
    context, features = shared.feature_config(options)
    config = RunConfig(
        model=folder,
        out=out,
        features=options["features"],
        pipeline=PipelineConfig(context=context, features=features, answers=shared.answer_config(options)),
        engine=engine,
        settings=settings,
        long_threshold=options["long_threshold"],
        short_threshold=options["short_threshold"],
        non_null_thresholds=shared.thresholds(options),
        shard_examples=options["shard_examples"],
        cluster=cluster,
        fresh=options["fresh"],
    )
    selection = shared.selection(options)
    source: ChunkSource = DevelopmentSet(selection=selection)
    if data is not None:
        reader = shared.reader(data, options)
        reader.require()
        source = LinesSource(reader=reader)
    warn_of_new_heads(folder)
    if config.cluster is None:
        start_engine(find_engine(config.engine))
    with (
        ending_between_shards() as between_shards,
        progress({"windows": None, "examples": options["limit"]}, quiet=options["quiet"]) as advance,
    ):
        result = run(source, config, advance, between_shards)
    report_skipped(source.skipped)
    report_notes(result.notes)
    if options["as_json"]:
        plain = {**dataclasses.asdict(result), "skipped": len(result.skipped), "out": plain_text.plain(str(out))}
        click.echo(msgspec.json.encode(plain).decode())
    elif not options["quiet"]:
        click.echo(_summary(result, out, options["limit"]))


def _cluster(options: dict[str, Any]) -> ClusterConfig | None:
    """Return what --ray and its companions say.

    Raises: ConfigError for a companion without --ray.
    """
    if options["ray"] is None:
        if options["workers"] is not None:
            raise ConfigError("--workers is for --ray; without it this process answers alone")
        return None
    if options["recipe"] is not None:
        raise ConfigError("--recipe is for this machine alone; a cluster's workers start with an environment of theirs")
    return ClusterConfig(
        address=options["ray"],
        workers=options["workers"],
        worker_cpus=options["worker_cpus"],
        worker_gpus=options["worker_gpus"],
        shard_seconds=options["shard_timeout"],
    )


def _summary(result: RunResult, out: Path, limit: int | None) -> str:
    seconds = [(name, f"{spent:.2f}") for name, spent in result.seconds.items()]
    resumed = f"\n{result.resumed_shards} of {result.shards} shards were done before" if result.resumed_shards else ""
    timed = result.windows - result.warm_up_windows
    rate = f", {timed / result.seconds['predict']:.1f} windows/s in predict" if timed else ""
    fewer = limit is not None and result.examples < limit
    examples = f"{counted(result.examples, 'example')}{f' (--limit {limit}: the data has no more)' if fewer else ''}"
    answered = f"{examples}, {counted(result.windows, 'window')}"
    if result.metrics is None or result.non_null_threshold is None:
        scores = "no annotations in the data, so no scores"
    else:
        scores = scores_table(result.metrics, NonNullThresholds.of(result.non_null_threshold))
    return "\n\n".join(
        (
            scores,
            text_table(("stage", "seconds"), seconds)
            + f"\nprepare runs beside predict, so the stages may add up to more than the total; warm up is "
            f"the first batch ({counted(result.warm_up_windows, 'window')}) and no part of predict",
            f"{answered}{rate}; files in {out}" + resumed,
        )
    )
