"""A second model beside the first: a smaller network, or a faster run of the same one? Speed and score are weighed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import OpenedModel, open_model
from nqperf.formats.weights.tokenizer_file import same_vocabulary
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.evaluation import answer_counts
from nqperf.nq.example import Prediction
from nqperf.perf.suite.parity import Task
from nqperf.perf.suite.task import model_record
from nqperf.perf.variants.variant import Variant
from nqperf.records.frontier import Sign, faster, frontier, relation, sign_of
from nqperf.records.results import BASELINE, Switch, VariantResult
from nqperf.statistics.micro_f1 import CONFIDENCE, Counts, ScoreDifference, micro_f1, score_difference

# The details of a challenger's agreement: how much higher its micro-F1 is, and from where to where that may be.
DIFFERENCE, DIFFERENCE_LOW, DIFFERENCE_HIGH = (
    "micro_f1_difference",
    "micro_f1_difference_low",
    "micro_f1_difference_high",
)
_SAID = {
    "dominates": "it is the better one",
    "dominated": "the other is the better one",
    "both": "both lie on the frontier",
    "unknown": "which is better cannot be told",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """A second model, opened in `folder`, which answers the same features; its rows are named NAME:VARIANT."""

    folder: OpenedModel

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.path.resolve().name

    def rows(self, variants: Iterable[Variant]) -> list[Variant]:
        """Return the rows in which it is run: one for each of `variants`."""
        return [dataclasses.replace(variant, name=f"{self.name}:{variant.name}") for variant in variants]

    def runs(self, name: str) -> bool:
        """Whether the row called `name` is one of `rows`."""
        return name.startswith(f"{self.name}:")

    def identity(self) -> dict[str, Switch]:
        """Return what a row's record says of the model that it ran."""
        record = model_record(self.folder)
        return {"model": record.name, "model_sha256": record.sha256}

    def task(self, task: Task) -> Task:
        """Return the same `task`, answered at the challenger's own thresholds."""
        return dataclasses.replace(task, answers=AnswerConfig.of(self.folder.settings))


def read_challenger(path: Path, model: OpenedModel, max_seq_length: int) -> Challenger:
    """Return the model in `path`, which is held against `model` on windows of `max_seq_length` positions.

    Raises: FormatError for a folder that cannot be read; ConfigError when the two would read other features.
    """
    folder = open_model(path)
    folder.read_weights()
    if not same_vocabulary(model.require_tokenizer(), folder.require_tokenizer()):
        raise ConfigError(
            f"{path} has another vocabulary than {model.path}, and so reads other features; expected the same: "
            "run `nqperf bench` for each of them"
        )
    folder.config.require_positions(max_seq_length)
    return Challenger(folder=folder)


def score_change(task: Task, baseline: Sequence[Prediction], challenger: Sequence[Prediction]) -> dict[str, float]:
    """Return how much higher a challenger's micro-F1 is than the baseline's, with its interval, as details of a row.

    `baseline` and `challenger` are their answers to the same `task`.
    """
    difference = score_difference(_counts(task, baseline), _counts(task, challenger))
    low, high = difference.interval
    return {DIFFERENCE: difference.value, DIFFERENCE_LOW: low, DIFFERENCE_HIGH: high}


def weighed(
    task: Task,
    rows: Sequence[VariantResult],
    predictions: Mapping[str, Sequence[Prediction]],
    challenger: Challenger | None,
) -> tuple[str, ...]:
    """Return what is to be said of speed and score: of each of the challenger's rows, then of the frontier of all rows.

    `task` is what all rows answered, and `predictions` has their answers by name. `rows` are the run's, the baseline's
    too; those without times and answers have no place. Empty without a `challenger`.
    """
    if challenger is None:
        return ()
    ratios = {row.name: row.verdict.interval for row in rows if row.verdict is not None and row.name in predictions}
    ratios[BASELINE] = (1.0, 1.0)
    counts = {name: _counts(task, predictions[name]) for name in ratios}

    def difference(name: str, other: str) -> ScoreDifference:
        return score_difference(counts[name], counts[other])

    def compare(name: str, other: str) -> tuple[Sign, Sign]:
        return faster(ratios[name], ratios[other]), sign_of(difference(name, other).interval)

    pairs = [
        (own, name)
        for name in ratios
        if challenger.runs(name) and (own := name.removeprefix(f"{challenger.name}:")) in ratios
    ]
    if not pairs:
        return (f"{challenger.name} was not measured: nothing to weigh",)
    return (
        *(_sentence(own, name, difference(own, name), relation(*compare(own, name)), counts) for own, name in pairs),
        *_frontier_lines(frontier(list(ratios), compare)),
    )


def _counts(task: Task, predictions: Sequence[Prediction]) -> Counts:
    return answer_counts(task.gold, predictions, non_null_threshold=task.non_null_threshold)


def _sentence(own: str, name: str, difference: ScoreDifference, related: str, counts: Mapping[str, Counts]) -> str:
    low, high = difference.interval
    ours, theirs = (float(micro_f1(np.sum(counts[one], axis=0))) for one in (own, name))
    return (
        f"{name} against {own}: micro-F1 {theirs:.4f} against {ours:.4f}, {difference.value:+.4f} "
        f"({low:+.4f} to {high:+.4f} at {CONFIDENCE:.0%}, over {len(counts[own])} examples): {_SAID[related]}"
    )


def _frontier_lines(places: Mapping[str, tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    for standing, said in (("on", "on the frontier of speed and micro-F1"), ("unknown", "perhaps on it")):
        names = [name for name, (found, _) in places.items() if found == standing]
        if names:
            yield f"{said}: {', '.join(names)}"
    for name, (standing, beaten_by) in places.items():
        if standing == "off":
            yield f"off it: {name}, for {', '.join(beaten_by)} is faster and no worse, or better and no slower"
