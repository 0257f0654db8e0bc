"""Features: one window's model input a row, and the way from an example to its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, build_context
from nqperf.nq.example import Example, IntArray, LongArray
from nqperf.nq.tokenization import Tokenizer
from nqperf.nq.windows import window_starts

# [CLS] before the question, [SEP] after it and after the window; RoBERTa has one more between the two.
SPECIAL_POSITIONS = 3
# A question, and the step from a window to the next, are at most this part of a short input.
_PARTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """Lengths in pieces, each at least 1.

    `max_seq_length` is that of an input, `max_query_length` the longest of a question within it, `doc_stride` the
    distance between the starts of two windows.

    Raises: ConfigError when one is below 1, or the input leaves no room for context beside the question.
    Source: the reference values of BERT Joint.
    """

    max_seq_length: int = 512
    doc_stride: int = 128
    max_query_length: int = 64

    def __post_init__(self) -> None:
        for name in ("max_seq_length", "doc_stride", "max_query_length"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.max_seq_length <= self.max_query_length + SPECIAL_POSITIONS:
            raise ConfigError(
                f"max_seq_length {self.max_seq_length} leaves no room for context beside max_query_length "
                f"{self.max_query_length} and {SPECIAL_POSITIONS} special positions: raise the one or lower the other"
            )

    @classmethod
    def for_length(
        cls, max_seq_length: int, *, doc_stride: int | None = None, max_query_length: int | None = None
    ) -> FeatureConfig:
        """Return the lengths for inputs of `max_seq_length` pieces, by the one rule for those that are not given.

        `doc_stride` and `max_query_length` are taken as they are given. The others are the reference's, and for shorter
        inputs at most a fourth of the input.

        >>> FeatureConfig.for_length(256)
        FeatureConfig(max_seq_length=256, doc_stride=64, max_query_length=64)

        Raises: ConfigError when the input leaves no room for context.
        """
        reference, fourth = cls(), max(1, max_seq_length // _PARTS)
        return cls(
            max_seq_length=max_seq_length,
            doc_stride=min(reference.doc_stride, fourth) if doc_stride is None else doc_stride,
            max_query_length=min(reference.max_query_length, fourth) if max_query_length is None else max_query_length,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Rows of model input, in file order and window order.

    Shapes: unique_id int64[n] (example id + window index); input_ids, input_mask, segment_ids, token_map int32[n, s];
    token_map[i, position] is the document token under a position, -1 off the document.
    """

    unique_id: LongArray
    input_ids: IntArray
    input_mask: IntArray
    segment_ids: IntArray
    token_map: IntArray

    def __len__(self) -> int:
        return len(self.unique_id)

    def rows(self, start: int, end: int) -> Features:
        """Return the rows [start, end), as views."""
        return Features(**{name: getattr(self, name)[start:end] for name in FEATURE_FIELDS})


# What a model reads, in the order in which it is handed on.
MODEL_INPUTS = ("input_ids", "input_mask", "segment_ids")
FEATURE_FIELDS = ("unique_id", *MODEL_INPUTS, "token_map")


def concatenate(parts: list[Features]) -> Features:
    """Return the rows of all `parts`, in order."""
    return Features(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in FEATURE_FIELDS})


def build_features(
    example: Example, tokenizer: Tokenizer, context_config: ContextConfig, config: FeatureConfig
) -> Features:
    """Return the features of `example`: `[CLS] question [SEP] window [SEP]`, padded on the right, one row a window.

    `context_config` says which candidates are read, `config` how long a row is. The special pieces are those of
    `tokenizer`.
    """
    context = build_context(example, context_config)
    pieces = tokenizer.encode(context.words)
    piece_token = context.word_token[pieces.piece_word()]
    question = question_ids(example.question, tokenizer, config)
    head = np.concatenate([[tokenizer.cls_id], question, [tokenizer.sep_id] * tokenizer.separators]).astype(np.int32)

    room = config.max_seq_length - len(head) - 1
    starts = window_starts(len(pieces.ids), room=room, stride=config.doc_stride)
    ends = np.minimum(starts + room, len(pieces.ids))
    shape = (len(starts), config.max_seq_length)
    input_ids = np.full(shape, tokenizer.pad_id, dtype=np.int32)
    input_ids[:, : len(head)] = head
    input_ids[:, len(head) : -1] = _windows(pieces.ids, starts, room, fill=tokenizer.pad_id)
    last_sep = len(head) + ends - starts
    input_ids[np.arange(len(starts)), last_sep] = tokenizer.sep_id
    token_map = np.full(shape, -1, dtype=np.int32)
    token_map[:, len(head) : -1] = _windows(piece_token, starts, room, fill=-1)

    position = np.arange(config.max_seq_length)
    input_mask = (position <= last_sep[:, None]).astype(np.int32)
    return Features(
        unique_id=example.example_id + np.arange(len(starts), dtype=np.int64),
        input_ids=input_ids,
        input_mask=input_mask,
        segment_ids=input_mask * (position >= len(head)).astype(np.int32),
        token_map=token_map,
    )


def question_ids(question: str, tokenizer: Tokenizer, config: FeatureConfig) -> IntArray:
    """Return `[Q]` and the pieces of `question` as `tokenizer` cuts it.

    Of more than `config.max_query_length` they are the last ones.
    """
    return tokenizer.encode_question(question)[-config.max_query_length :]


def _windows(values: IntArray, starts: IntArray, room: int, *, fill: int) -> IntArray:
    """Cut `values` at `starts` into rows of `room`, the last one filled up."""
    step = int(starts[1]) if len(starts) > 1 else 1
    padded = np.concatenate([values, np.full(room, fill, dtype=np.int32)])
    return np.lib.stride_tricks.sliding_window_view(padded, room)[::step][: len(starts)]
