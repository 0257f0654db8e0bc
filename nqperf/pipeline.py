"""The whole route in order, streamed: examples in, features, logits and predictions out.

Each stage is an iterator over the one before, so that memory does not grow with the input, and features are made in
the engine's input thread while the device works on the last batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nqperf.errors import ConfigError
from nqperf.nq.answers import AnswerConfig, answer_pending
from nqperf.nq.context import ContextConfig
from nqperf.nq.example import Annotation, Example, Prediction
from nqperf.nq.features import FeatureConfig, Features, build_features, concatenate
from nqperf.nq.grouping import AnswerInput, PendingExamples, run_starts
from nqperf.nq.logits import Logits
from nqperf.nq.logits import concatenate as concatenate_logits
from nqperf.nq.tokenization import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """Every number of the route; the defaults are the reference values of BERT Joint and of the thesis."""

    context: ContextConfig = ContextConfig()
    features: FeatureConfig = FeatureConfig()
    answers: AnswerConfig = AnswerConfig()


REFERENCE = PipelineConfig()

_Item = TypeVar("_Item")


def prepare(examples: Iterable[Example], tokenizer: Tokenizer, config: PipelineConfig) -> Iterator[Features]:
    """Yield each example's features."""
    for example in examples:
        yield build_features(example, tokenizer, config.context, config.features)


def answer_all(
    inputs: Iterable[AnswerInput], features: Iterable[Features], logits: Iterable[Logits], config: AnswerConfig
) -> Iterator[Prediction]:
    """Yield one prediction an example, as soon as the rows of the example are complete.

    `features` and `logits` hold the same rows in the same order, in blocks of any length.

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


@dataclass(slots=True, kw_only=True)
class Route:
    """One pass from examples to predictions, with what must be kept of each example on the way.

    `on_features` and `on_logits` see every block once, in order, for files and progress. `gold` fills up with the
    annotations of the examples that have some, `count` with the number of examples.
    """

    predict: Callable[[Iterable[Features]], Iterator[Logits]]
    config: AnswerConfig
    on_features: Callable[[Features], None] = lambda _: None
    on_logits: Callable[[Logits], None] = lambda _: None
    gold: dict[int, tuple[Annotation, ...]] = field(default_factory=dict)
    count: int = 0

    def from_examples(
        self, examples: Iterable[Example], tokenizer: Tokenizer, config: PipelineConfig
    ) -> Iterator[Prediction]:
        """Yield the predictions of examples whose features are made on the way."""
        inputs: deque[AnswerInput] = deque()
        return self._predictions(_drain(inputs), prepare(self._noted(examples, inputs), tokenizer, config))

    def from_features(self, examples: Iterable[Example], features: Iterable[Features]) -> Iterator[Prediction]:
        """Yield the predictions of examples whose features are there already."""
        return self._predictions((self._note(example) for example in examples), features)

    def _predictions(self, inputs: Iterable[AnswerInput], features: Iterable[Features]) -> Iterator[Prediction]:
        under_way: deque[Features] = deque()
        logits = self.predict(self._watched_features(features, under_way))
        return answer_all(inputs, _drain(under_way), self._watched_logits(logits), self.config)

    def _watched_features(self, blocks: Iterable[Features], under_way: deque[Features]) -> Iterator[Features]:
        for block in blocks:
            self.on_features(block)
            under_way.append(block)
            yield block

    def _watched_logits(self, blocks: Iterable[Logits]) -> Iterator[Logits]:
        for block in blocks:
            self.on_logits(block)
            yield block

    def _noted(self, examples: Iterable[Example], inputs: deque[AnswerInput]) -> Iterator[Example]:
        for example in examples:
            inputs.append(self._note(example))
            yield example

    def _note(self, example: Example) -> AnswerInput:
        self.count += 1
        if example.annotations:
            self.gold[example.example_id] = example.annotations
        return AnswerInput.of(example)


def _drain(queue: deque[_Item]) -> Iterator[_Item]:
    """Yield what others append; whoever asks knows that there is one more, so empty means the end."""
    while queue:
        yield queue.popleft()
