"""The commands of single stages: prepare, predict, answer, evaluate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from nqperf.cli import options as shared
from nqperf.cli.console import Advance, progress, report_notes, report_skipped, start_engine
from nqperf.cli.recipe import engine_and_settings, recipe_option
from nqperf.cli.scores import scores_table
from nqperf.cli.signals import ending_between_shards
from nqperf.engines.registry import find_engine
from nqperf.formats.files import write_whole
from nqperf.formats.json_object import encode_json
from nqperf.formats.nq.logits_npz import read_logits
from nqperf.formats.nq.predictions_json import read_predictions, write_predictions
from nqperf.formats.nq.tfrecord import count_records, read_features, write_features
from nqperf.formats.weights.model_folder import NO_SETTINGS, open_model
from nqperf.formats.weights.tokenizer_file import read_tokenizer
from nqperf.formats.weights.tokenizers import find_tokenizer_file
from nqperf.formats.weights.vocabulary_checks import vocabulary_notes
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.scoring import score
from nqperf.pipeline import PipelineConfig, answer_all, prepare
from nqperf.plain_text import counted
from nqperf.run import to_json
from nqperf.shards.predicting import PredictConfig, predict_features

_Item = TypeVar("_Item")


@click.command("prepare")
@click.argument("data")
@shared.option(
    "--model",
    "--tokenizer",
    "tokenizer",
    type=shared.MODEL,
    required=True,
    help="The model folder, or the file of its vocabulary alone: tokenizer.model or vocab.txt.",
)
@shared.option("--out", type=shared.PATH, required=True, help="The TFRecord file to write.")
@shared.together(shared.feature_options, shared.selection_options, shared.quiet_option, shared.json_option)
def prepare_command(data: str, tokenizer: Path, out: Path, **options: Any) -> None:
    """Make features from DATA: a .jsonl or .jsonl.gz of Natural Questions, a glob pattern, or - for standard input.

    \b
    nqperf prepare dev.jsonl.gz --model models/bert-joint --out dev.tfrecord
    zcat part-*.gz | nqperf prepare - --model vocab.txt --out all.tfrecord --on-error skip
    """
    context, features = shared.feature_config(options)
    config = PipelineConfig(context=context, features=features)
    reader = shared.reader(data, options)
    if tokenizer.is_dir():
        opened = open_model(tokenizer)
        opened.config.require_positions(features.max_seq_length)
        pieces = opened.tokenizer
    else:
        file = find_tokenizer_file(tokenizer)
        pieces = read_tokenizer(file)
        for note in () if options["quiet"] else vocabulary_notes(file):
            click.echo(f"nqperf: note: {note}", err=True)
    shared.refuse_same_file(out, data=data, tokenizer=tokenizer)
    with progress({"examples": options["limit"]}, quiet=options["quiet"]) as advance:
        examples = _Counted(reader.examples(), "examples", advance)
        windows = write_features(out, prepare(examples, pieces, config))
    result = {"out": str(out), "examples": examples.count, "windows": windows, "skipped": len(reader.skipped)}
    report_skipped(reader.skipped)
    _finish(result, f"{out}: {counted(windows, 'window')} of {counted(examples.count, 'example')}", options)


@click.command("predict")
@click.argument("features", type=shared.PATH)
@shared.option("--model", type=shared.MODEL, required=True, help="The model folder.")
@shared.option("--out", type=shared.PATH, required=True, help="The .npz of logits to write.")
@shared.together(shared.engine_options, recipe_option, shared.fresh_option, shared.quiet_option, shared.json_option)
def predict_command(features: Path, model: Path, out: Path, **options: Any) -> None:
    """Run a model over FEATURES (a file of `nqperf prepare`) and leave its logits, row for row.

    What is done stands in the folder OUT.work until all is: the same command goes on from there.

    \b
    nqperf predict dev.tfrecord --model models/bert-joint --out logits.npz
    nqperf predict dev.tfrecord --model models/bert-joint --precision mixed_bfloat16 --xla --out logits.npz
    """
    shared.refuse_same_file(out, features=features)
    # A fault that is seen without the engine's library is said before its start-up.
    opened = open_model(model)
    engine, settings = engine_and_settings(options, opened)
    config = PredictConfig(
        features=features,
        model=opened,
        out=out,
        engine=engine,
        settings=settings,
        fresh=options["fresh"],
    )
    total = count_records(features)
    next(read_features(features))
    start_engine(find_engine(config.engine))
    with (
        ending_between_shards() as between_shards,
        progress({"windows": total}, quiet=options["quiet"]) as advance,
    ):
        result = predict_features(config, advance, between_shards)
    found = {"out": str(out), **dataclasses.asdict(result)}
    _finish(found, f"{out}: logits of {counted(result.windows, 'window')}", options)


@click.command("answer")
@click.argument("data")
@shared.option("--features", type=shared.PATH, required=True, help="The features that were predicted.")
@shared.option("--logits", type=shared.PATH, required=True, help="The logits of these features.")
@shared.option("--out", type=shared.PATH, required=True, help="The predictions JSON to write.")
@shared.option("--model", type=shared.MODEL, help="The model folder, for its own thresholds.  [default: the thesis's]")
@shared.together(shared.answer_options, shared.selection_options, shared.quiet_option, shared.json_option)
def answer_command(data: str, features: Path, logits: Path, out: Path, **options: Any) -> None:
    """Turn features and logits into one prediction an example of DATA, by the thesis's heuristic.

    Give the same --skip, --limit and --on-error as to `nqperf prepare`.

    \b
    nqperf answer dev.jsonl.gz --features dev.tfrecord --logits logits.npz --out predictions.json
    """
    settings = NO_SETTINGS if options["model"] is None else open_model(options["model"]).settings
    config = AnswerConfig.of(settings, shared.answer_config(options))
    config = config.with_thresholds(options["long_threshold"], options["short_threshold"])
    shared.refuse_same_file(out, data=data, features=features, logits=logits)
    reader = shared.reader(data, options)
    with progress({"examples": options["limit"]}, quiet=options["quiet"]) as advance:
        inputs = (AnswerInput(example_id=number, candidates=found) for number, found in reader.candidates())
        asked = _Counted(inputs, "examples", advance)
        predictions = list(answer_all(asked, read_features(features), read_logits(logits), config))
    write_predictions(out, predictions)
    report_skipped(reader.skipped)
    long_answers = sum(not one.long_answer.is_null for one in predictions)
    short_answers = sum(bool(one.short_answers) for one in predictions)
    result = {
        "out": str(out),
        "examples": len(predictions),
        "long_answers": long_answers,
        "short_answers": short_answers,
        "long_threshold": config.long_threshold,
        "short_threshold": config.short_threshold,
    }
    given = f"{long_answers} long and {counted(short_answers, 'short answer')}"
    text = f"{out}: {counted(len(predictions), 'prediction')}, {given}"
    _finish(result, text, options)


@click.command("evaluate")
@click.argument("data", required=False)
@shared.option("--gold", help="The older name of DATA.")
@shared.option("--predictions", type=shared.PATH, required=True, help="The predictions JSON.")
@shared.option("--out", type=shared.PATH, help="Also write the metrics to this JSON file.")
@shared.together(shared.threshold_options, shared.selection_options, shared.quiet_option, shared.json_option)
def evaluate_command(data: str | None, *, gold: str | None, predictions: Path, **options: Any) -> None:
    """Score predictions against DATA's annotations, number for number as nq_eval, with the thesis's micro-F1.

    The micro-F1 is called all-answer there.

    \b
    nqperf evaluate dev.jsonl.gz --predictions predictions.json
    nqperf evaluate 'dev-*.jsonl.gz' --predictions predictions.json --non-null-threshold 2 --json
    """
    out: Path | None = options["out"]
    if (data is None) == (gold is None):
        raise click.UsageError(
            "name one annotated file as DATA (--gold is its older name)", click.get_current_context()
        )
    gold = data or gold or ""
    if out is not None:
        shared.refuse_same_file(out, gold=gold, predictions=predictions)
    found = read_predictions(predictions)
    reader = shared.reader(gold, options)
    with progress({"examples": options["limit"]}, quiet=options["quiet"]) as advance:
        annotations = dict(_Counted(reader.gold(), "examples", advance))
    found_score = score(annotations, found, thresholds=shared.thresholds(options), unannotated=reader.unannotated)
    if out is not None:
        write_whole(out, to_json(found_score.figures()))
    report_skipped(reader.skipped)
    report_notes(found_score.notes())
    _finish(found_score.figures(), scores_table(found_score.metrics, found_score.thresholds), options)


class _Counted(Iterable[_Item]):
    """Passes items on, counts them and moves a progress bar."""

    def __init__(self, items: Iterable[_Item], name: str, advance: Advance, *, size: Any = lambda _item: 1) -> None:
        self._items, self._name, self._advance, self._size = items, name, advance, size
        self.count = 0

    def __iter__(self) -> Iterator[_Item]:
        for item in self._items:
            self.count += 1
            self._advance(self._name, self._size(item))
            yield item


def _finish(result: dict[str, Any], text: str, options: dict[str, Any]) -> None:
    """Print the result as the options wish it."""
    if options["as_json"]:
        click.echo(encode_json(result).decode())
    elif not options["quiet"]:
        click.echo(text)
