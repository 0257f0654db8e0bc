"""Training questions and their documents as pieces, and the batches of windows drawn from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, build_context
from nqperf.nq.example import Example, FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS, FeatureConfig, question_ids
from nqperf.nq.tokenization import Tokenizer
from nqperf.nq.windows import window_starts
from nqperf.training.targets import NO_TARGET, PieceTarget, piece_target

Batch = tuple[dict[str, IntArray], dict[str, Any]]
_EXPECTED_SOME = "to train on; expected some, or a weight of 0: one article in ten is held out, by its title"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """Documents as context pieces, and the questions asked of them, source after source.

    Shapes: piece_ids int32[p], document_starts int32[d + 1]; question_ids int32[k], question_starts int32[q + 1];
    document int32[q]: the question's document; targets: one PieceTarget a question;
    source_starts int32[s + 1]: the questions of source i are [source_starts[i], source_starts[i + 1]).
    """

    piece_ids: IntArray
    document_starts: IntArray
    question_ids: IntArray
    question_starts: IntArray
    document: IntArray
    targets: tuple[PieceTarget, ...]
    source_starts: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """Which windows a question gives.

    `weights` is each source's share of the rows; `include_unknowns` the probability that an answerable question gives
    a window without its answer, of `unknown_draws` such windows the one that says the most of the question: most of an
    article's windows share nothing with the question, are told from its answer at once, and teach nothing. An epoch has
    `epoch_batches` batches of `batch_size` windows; `seed` draws them.
    Raises: ConfigError when weights are below 0 or all 0, when `include_unknowns` is no probability, or when a number
    is below 1.
    """

    weights: tuple[float, ...]
    include_unknowns: float = 0.3
    unknown_draws: int = 1
    epoch_batches: int = 256
    batch_size: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.weights or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ConfigError(f"weights {self.weights}; expected a share of at least 0 for each source, not all 0")
        if not 0 <= self.include_unknowns <= 1:
            raise ConfigError(f"include_unknowns is {self.include_unknowns}; expected a probability")
        if self.unknown_draws < 1:
            raise ConfigError(f"unknown_draws is {self.unknown_draws}; expected at least 1")
        if self.epoch_batches < 1 or self.batch_size < 1:
            raise ConfigError(f"{self.epoch_batches} batches of {self.batch_size}; expected both to be at least 1")


def build_corpus(
    sources: Sequence[Iterable[Example]],
    tokenizer: Tokenizer,
    context_config: ContextConfig,
    config: FeatureConfig,
) -> Corpus:
    """Encode the examples of each of `sources` by `tokenizer`; neighbours that share their tokens share one document.

    `context_config` says which candidates are read, `config` how their text is cut into windows.

    Raises: ConfigError when no source has an example.
    """
    documents: list[IntArray] = []
    questions: list[IntArray] = []
    document: list[int] = []
    targets: list[PieceTarget] = []
    source_starts = [0]
    for source in sources:
        examples = list(source)
        _learn_words(examples, tokenizer)
        tokens: list[str] | None = None
        piece_token = np.zeros(0, dtype=np.int32)
        for example in examples:
            if example.tokens is not tokens:
                tokens = example.tokens
                context = build_context(example, context_config)
                pieces = tokenizer.encode(context.words)
                piece_token = context.word_token[pieces.piece_word()]
                documents.append(pieces.ids)
            questions.append(question_ids(example.question, tokenizer, config))
            document.append(len(documents) - 1)
            targets.append(piece_target(example, piece_token))
        source_starts.append(len(questions))
    if not questions:
        raise ConfigError(f"the sources have no question {_EXPECTED_SOME}")
    return Corpus(
        piece_ids=np.concatenate(documents),
        document_starts=_starts(documents),
        question_ids=np.concatenate(questions),
        question_starts=_starts(questions),
        document=np.array(document, dtype=np.int32),
        targets=tuple(targets),
        source_starts=np.array(source_starts, dtype=np.int32),
    )


def _learn_words(examples: list[Example], tokenizer: Tokenizer) -> None:
    """Encode every word once, all together: one by one, each new word would copy the tokenizer's cache."""
    documents = {id(example.tokens): example.tokens for example in examples}
    words = {word for tokens in documents.values() for word in tokens}
    words.update(word for example in examples for word in example.question.split(" "))
    tokenizer.encode(sorted(words))


def _starts(parts: list[IntArray]) -> IntArray:
    return np.cumsum([0, *map(len, parts)]).astype(np.int32)


class Batches:
    """The batches of `corpus`: the one at a step is a function of `config` and the step alone.

    `tokenizer` is the corpus's, `features` says how long a window is.

    Raises: ConfigError unless there is a weight for each source.
    """

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, features: FeatureConfig, config: SamplingConfig) -> None:
        sources = len(corpus.source_starts) - 1
        if len(config.weights) != sources:
            raise ConfigError(f"{len(config.weights)} weights for {sources} sources; expected one for each")
        self.config = config
        self._corpus = corpus
        self._features = features
        self._cls_id, self._sep_id, self._pad_id = tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id
        self._separators = tokenizer.separators
        self._rarity = _rarity(corpus)
        self._order: tuple[int, IntArray] = (-1, np.zeros(0, dtype=np.int32))

    def batch(self, step: int) -> Batch:
        """Return the inputs and the targets of the batch at `step`.

        Shapes: input_ids, input_mask, segment_ids int32[n, s]; the targets under the names of the outputs they are for:
        start_logits, end_logits float32[n, s] (probabilities), answer_type_logits int32[n].
        """
        epoch, number = divmod(step, self.config.epoch_batches)
        if self._order[0] != epoch:
            self._order = epoch, self.epoch_order(epoch)
        size = self.config.batch_size
        chosen = self._order[1][number * size : (number + 1) * size]
        rng = np.random.default_rng([self.config.seed, 2, step])
        shape = (size, self._features.max_seq_length)
        inputs = {name: np.zeros(shape, dtype=np.int32) for name in MODEL_INPUTS}
        targets: dict[str, Any] = {name: np.zeros(shape, dtype=np.float32) for name in ("start_logits", "end_logits")}
        targets["answer_type_logits"] = np.zeros(size, dtype=np.int32)
        for row, question in enumerate(chosen.tolist()):
            shift, target = self._fill(inputs, row, question, rng)
            targets["start_logits"][row, target.first_piece + shift] = 1
            targets["end_logits"][row, 0] = target.null_end
            targets["end_logits"][row, target.last_piece + shift] = 1 - target.null_end
            targets["answer_type_logits"][row] = target.answer_type
        return inputs, targets

    def epoch_order(self, epoch: int) -> IntArray:
        """Return the questions of the `epoch`, from 0: each source's share of its endless shuffled rounds, mixed.

        Raises: ConfigError for a source with a share and without a question.
        """
        rows = self.config.epoch_batches * self.config.batch_size
        bounds = np.round(np.cumsum([0, *self.config.weights]) / sum(self.config.weights) * rows).astype(int)
        parts = []
        for source, count in enumerate(np.diff(bounds).tolist()):
            first, last = self._corpus.source_starts[source : source + 2].tolist()
            if count and first == last:
                raise ConfigError(f"source {source} has no question {_EXPECTED_SOME}")
            at = np.arange(epoch * count, (epoch + 1) * count)
            for cycle in range(at[0] // (last - first), at[-1] // (last - first) + 1) if count else ():
                shuffled = np.random.default_rng([self.config.seed, 3, source, cycle]).permutation(last - first)
                parts.append(first + shuffled[at[at // (last - first) == cycle] % (last - first)])
        mixed = np.random.default_rng([self.config.seed, 4, epoch]).permutation(np.concatenate(parts))
        return mixed.astype(np.int32)

    def _fill(
        self, inputs: dict[str, IntArray], row: int, question: int, rng: np.random.Generator
    ) -> tuple[int, PieceTarget]:
        """Write one window; return its target and the position of the document's first piece."""
        corpus = self._corpus
        asked = corpus.question_ids[corpus.question_starts[question] : corpus.question_starts[question + 1]]
        first, last = corpus.document_starts[corpus.document[question] :][:2].tolist()
        head = 1 + len(asked) + self._separators
        room = self._features.max_seq_length - head - 1
        starts = window_starts(last - first, room=room, stride=self._features.doc_stride)
        target = corpus.targets[question]
        holds = target.inside(starts, starts + room)
        wanted = holds if rng.random() >= self.config.include_unknowns else ~holds
        eligible = np.flatnonzero(wanted if wanted.any() else ~wanted)
        draws = 1 if holds[eligible[0]] else self.config.unknown_draws
        drawn = eligible[rng.integers(len(eligible), size=draws)]
        views = {window: corpus.piece_ids[first:last][starts[window] :][:room] for window in drawn.tolist()}
        window, pieces = max(views.items(), key=lambda view: self._shared(asked, view[1]))
        end = head + len(pieces) + 1
        between = [self._sep_id] * self._separators
        inputs["input_ids"][row, :end] = np.concatenate([[self._cls_id], asked, between, pieces, [self._sep_id]])
        inputs["input_ids"][row, end:] = self._pad_id
        inputs["input_mask"][row, :end] = 1
        inputs["segment_ids"][row, head:end] = 1
        if not holds[window]:
            return 1, NO_TARGET  # piece -1 at position 0: [CLS]
        return head - int(starts[window]), target

    def _shared(self, asked: IntArray, pieces: IntArray) -> float:
        """Return how much of a question a window says: the rarities of the pieces that they share."""
        return float(self._rarity[np.intersect1d(asked, pieces)].sum())


def _rarity(corpus: Corpus) -> FloatArray:
    """Return for each piece the log of the documents for each one that holds it (Sparck Jones 1972).

    Shapes: -> float64[largest piece id + 1].
    """
    counts = np.ones(1 + max(int(corpus.piece_ids.max()), int(corpus.question_ids.max())))
    for first, last in pairwise(corpus.document_starts.tolist()):
        counts[np.unique(corpus.piece_ids[first:last])] += 1
    rarity: FloatArray = np.log(len(corpus.document_starts) / counts)
    return rarity
