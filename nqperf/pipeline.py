"""The whole route in order: examples in, features, logits and predictions out.

Each stage is an iterator over the one before, so that features are made in the engine's input thread while the device
works on the last batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from nqperf.errors import ConfigError
from nqperf.nq.answers import AnswerConfig, answer, answer_pending
from nqperf.nq.context import ContextConfig
from nqperf.nq.example import Example, Prediction
from nqperf.nq.features import FeatureConfig, Features, build_features, concatenate
from nqperf.nq.grouping import AnswerInput, PendingExamples, run_starts
from nqperf.nq.logits import Logits
from nqperf.nq.logits import concatenate as concatenate_logits
from nqperf.nq.tokenization import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """Every number of the route; the defaults are the reference values of BERT Joint and of the thesis.

    `context` says which candidates are read, `features` how their text is cut into windows, `answers` how scores
    become answers.
    """

    context: ContextConfig = ContextConfig()
    features: FeatureConfig = FeatureConfig()
    answers: AnswerConfig = AnswerConfig()


REFERENCE = PipelineConfig()

_Item = TypeVar("_Item")


def prepare(examples: Iterable[Example], tokenizer: Tokenizer, config: PipelineConfig) -> Iterator[Features]:
    """Yield the features of each of `examples`, cut by `tokenizer` as `config` says."""
    for example in examples:
        yield build_features(example, tokenizer, config.context, config.features)


def answer_all(
    inputs: Iterable[AnswerInput], features: Iterable[Features], logits: Iterable[Logits], config: AnswerConfig
) -> Iterator[Prediction]:
    """Yield one prediction an example, as soon as the rows of the example are complete.

    `inputs` are what is needed of each example, in order; `features` and `logits` hold the same rows in the same order,
    in blocks of any length. `config` says how scores become answers.

    Raises: ConfigError when the rows are not those of these examples, or differ from each other.
    """
    pending = PendingExamples(inputs)
    for (some_features, some_logits), following in _whole_runs(_same_rows(features, logits)):
        yield from answer_pending(pending, some_features, some_logits, config, following=following)
    pending.refuse_rest()


def _same_rows(features: Iterable[Features], logits: Iterable[Logits]) -> Iterator[tuple[Features, Logits]]:
    """Cut two streams of blocks at each other's borders."""
    feature_blocks, rows = iter(features), None
    for block in logits:
        at = 0
        while at < len(block):
            while rows is None or not len(rows):
                rows = next(feature_blocks, None)
                if rows is None:
                    raise ConfigError("there are more rows of logits than features; expected the logits of these")
            count = min(len(rows), len(block) - at)
            yield rows.rows(0, count), block.rows(at, at + count)
            rows, at = rows.rows(count, len(rows)), at + count
    if (rows is not None and len(rows)) or any(map(len, feature_blocks)):
        raise ConfigError("there are more features than rows of logits; expected the logits of these")


def _whole_runs(pairs: Iterable[tuple[Features, Logits]]) -> Iterator[tuple[tuple[Features, Logits], int | None]]:
    """Join blocks so that each holds whole examples only; beside it stands the unique_id of the row behind it."""
    held: list[tuple[Features, Logits]] = []
    for pair in pairs:
        held.append(pair)
        # The last example of a block may go on in the next one, unless a later start stands behind it.
        features, logits = joined = _joined(held)
        last = int(run_starts(features)[-2])
        if last:
            yield (features.rows(0, last), logits.rows(0, last)), int(features.unique_id[last])
            joined = features.rows(last, len(features)), logits.rows(last, len(logits))
        held = [joined]
    if held:
        yield held[0], None


def _joined(pairs: Sequence[tuple[Features, Logits]]) -> tuple[Features, Logits]:
    if len(pairs) == 1:
        return pairs[0]
    return concatenate([pair[0] for pair in pairs]), concatenate_logits([pair[1] for pair in pairs])


def rows_by_example(inputs: Iterable[AnswerInput], features: Iterable[Features]) -> Iterator[Features]:
    """Yield the rows of each example in `inputs`, of `features` that hold the rows of these examples in order.

    Raises: ConfigError when the rows are those of other examples.
    """
    pending = PendingExamples(inputs)
    held: list[Features] = []
    for block in filter(len, features):
        joined = concatenate([*held, block])
        last = int(run_starts(joined)[-2])
        if last:
            yield from _taken(pending, joined.rows(0, last), following=int(joined.unique_id[last]))
        held = [joined.rows(last, len(joined))]
    if held:
        yield from _taken(pending, held[0], following=None)
    pending.refuse_rest()


def _taken(pending: PendingExamples, rows: Features, *, following: int | None) -> Iterator[Features]:
    _, starts = pending.take(rows, following=following)
    return (rows.rows(start, end) for start, end in pairwise(starts.tolist()))


def answer_stream(
    examples: Iterable[Example],
    *,
    prepared: Callable[[Iterable[Example]], Iterable[Features]],
    predict: Callable[[Iterable[Features]], Iterable[Logits]],
    config: AnswerConfig,
) -> Iterator[Prediction]:
    """Yield the prediction of each of `examples` as soon as it is there; nothing is held behind it.

    `prepared` makes features of examples and `predict` logits of features, both streamed and in order; `config` says
    how scores become answers.
    """
    inputs: deque[AnswerInput] = deque()
    under_way: deque[Features] = deque()

    def noted() -> Iterator[Example]:
        for example in examples:
            inputs.append(AnswerInput.of(example))
            yield example

    def watched() -> Iterator[Features]:
        for block in prepared(noted()):
            under_way.append(block)
            yield block

    return answer_all(_drain(inputs), _drain(under_way), predict(watched()), config)


def _drain(queue: deque[_Item]) -> Iterator[_Item]:
    """Yield what others append; whoever asks knows that there is one more, so empty means the end."""
    while queue:
        yield queue.popleft()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """Some examples with all that was made of them, in order.

    `features` and `logits` have a row a window, `predictions` one entry an example.
    """

    features: Features
    logits: Logits
    predictions: list[Prediction]


def answer_examples(
    examples: Iterable[Example],
    *,
    prepared: Callable[[Iterable[Example]], Iterable[Features]],
    predict: Callable[[Iterable[Features]], Iterable[Logits]],
    config: AnswerConfig,
) -> Answered:
    """Take `examples` through the whole route, and hold all that is made of them.

    `prepared`, `predict` and `config` are as in `answer_stream`. Features are made while `predict` asks for them, so
    that an engine's input thread can be ahead of its device.
    """
    inputs: list[AnswerInput] = []
    blocks: list[Features] = []

    def noted() -> Iterator[Example]:
        for example in examples:
            inputs.append(AnswerInput.of(example))
            yield example

    def kept() -> Iterator[Features]:
        for block in prepared(noted()):
            blocks.append(block)
            yield block

    logits = concatenate_logits(list(predict(kept())))
    features = concatenate(blocks)
    return Answered(features=features, logits=logits, predictions=answer(inputs, features, logits, config))
