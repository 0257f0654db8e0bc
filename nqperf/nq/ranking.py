"""From logits to ranked answer spans, for all windows of all examples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import Features
from nqperf.nq.logits import Logits


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingConfig:
    """The thesis's heuristic: `best` starts times `best` ends a window, fewer than `max_length` positions apart.

    With `one_piece` an answer may begin and end in the same piece; the reference cannot make such answers.
    Raises: ConfigError when `best` or `max_length` is below 1.
    """

    best: int = 5
    max_length: int = 30
    one_piece: bool = False

    def __post_init__(self) -> None:
        if self.best < 1 or self.max_length < 1:
            raise ConfigError(f"best {self.best}, max_length {self.max_length}; expected both to be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankedSpans:
    """Answer spans with a score above 0, best first within each example, no span twice.

    Shapes: start_token, end_token int32[k] (end exclusive), score float32[k]; starts int32[m + 1]: example i has the
    spans starts[i]:starts[i + 1]. row int32[k] is the feature that a span was found in.
    """

    row: IntArray
    start_token: IntArray
    end_token: IntArray
    score: FloatArray
    starts: IntArray

    def of(self, example: int) -> RankedSpans:
        """Return the spans of the example at the place `example`, from 0."""
        own = slice(self.starts[example], self.starts[example + 1])
        return RankedSpans(
            row=self.row[own],
            start_token=self.start_token[own],
            end_token=self.end_token[own],
            score=self.score[own],
            starts=np.array([0, own.stop - own.start], dtype=np.int32),
        )


def rank_spans(features: Features, logits: Logits, example_starts: IntArray, config: RankingConfig) -> RankedSpans:
    """Score the best start and end positions of every window against [CLS], and rank the spans of every example.

    Score = (start + end logit) - (start + end logit of [CLS]), in float32. Among equal scores the later pair comes
    first: the later window, then the later start, then the later end position; among equal logits the later position
    is the better one. Where candidates overlap, a pair can run backwards through the document; it is no span.

    `config` says how many positions are paired, and how far apart they may be.

    Shapes: features and logits of the same n rows; example_starts int32[m + 1], rows of each example.
    Raises: ConfigError when rows do not match or logits are NaN.
    """
    _check(features, logits)
    row, start, end, score = _scored_pairs(features.token_map, logits, config)
    onwards = features.token_map[row, start] <= features.token_map[row, end]
    row, start, end, score = row[onwards], start[onwards], end[onwards], score[onwards]
    example = np.searchsorted(example_starts, row, side="right") - 1
    # lexsort's last key leads; reversed, so that among equals the later pair comes first.
    order = np.lexsort((end, start, row, score, -example))[::-1]
    row, start, end, score, example = row[order], start[order], end[order], score[order], example[order]
    start_token = features.token_map[row, start]
    end_token = features.token_map[row, end] + 1
    first = _first_of_each(example, start_token, end_token)
    counts = np.bincount(example[first], minlength=len(example_starts) - 1)
    return RankedSpans(
        row=row[first].astype(np.int32),
        start_token=start_token[first],
        end_token=end_token[first],
        score=score[first],
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
    )


_Index = npt.NDArray[np.intp]


def _scored_pairs(
    token_map: IntArray, logits: Logits, config: RankingConfig
) -> tuple[_Index, _Index, _Index, FloatArray]:
    """Return row, start position, end position and score of every pair that may answer and scores above 0."""
    legal = token_map != -1
    legal[:, 0] = False
    start, start_logit = _best_positions(logits.start_logits, legal, config.best)  # [n, k]
    end, end_logit = _best_positions(logits.end_logits, legal, config.best)
    distance = end[:, None, :] - start[:, :, None]  # [n, k, k]
    allowed = (distance >= (0 if config.one_piece else 1)) & (distance < config.max_length)
    allowed &= np.take_along_axis(legal, start, axis=1)[:, :, None] & np.take_along_axis(legal, end, axis=1)[:, None, :]
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is NaN and not above 0: no answer
        null = logits.start_logits[:, 0] + logits.end_logits[:, 0]
        score = start_logit[:, :, None] + end_logit[:, None, :] - null[:, None, None]
        row, start_rank, end_rank = np.nonzero(allowed & (score > 0))
    return row, start[row, start_rank], end[row, end_rank], score[row, start_rank, end_rank]


def _best_positions(logit: FloatArray, legal: npt.NDArray[np.bool_], best: int) -> tuple[_Index, FloatArray]:
    """Return the positions of the `best` largest legal logits of each row, and those logits; [n, k] each.

    Among equals the later position is better. A row with fewer legal positions is filled up with [CLS].
    """
    # A float32's bits, the negative ones turned round, sort as integers do; + 0.0 makes one zero of two.
    bits = (logit.astype(np.float32) + np.float32(0.0)).view(np.int32)
    order = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    # In the lower half the position, which breaks ties and says where the logit was.
    key = order.astype(np.int64) << 32 | np.arange(logit.shape[1])
    key[~legal] = np.iinfo(np.int64).min
    best = min(best, logit.shape[1])
    chosen = np.partition(key, -best, axis=1)[:, -best:] & 0xFFFFFFFF
    return chosen, np.take_along_axis(logit, chosen, axis=1)


def _first_of_each(example: _Index, start_token: IntArray, end_token: IntArray) -> _Index:
    """Return, in order, the indices at which a span of an example stands for the first time."""
    order = np.lexsort((end_token, start_token, example))  # stable: equal spans stay in their order
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = False
    for values in (example, start_token, end_token):
        new[1:] |= np.diff(values[order]) != 0
    return np.sort(order[new])


def _check(features: Features, logits: Logits) -> None:
    if features.token_map.shape != logits.start_logits.shape:
        raise ConfigError(
            f"features have shape {features.token_map.shape}, logits {logits.start_logits.shape}; "
            "expected the logits of these features"
        )
    differ = np.flatnonzero(features.unique_id != logits.unique_id)
    if len(differ):
        row = int(differ[0])
        raise ConfigError(
            f"row {row} is unique_id {features.unique_id[row]} in the features and {logits.unique_id[row]} in the "
            "logits; expected the logits of these features, in their order"
        )
    for name in ("start_logits", "end_logits"):
        nan = np.flatnonzero(np.isnan(getattr(logits, name)).any(axis=1))
        if len(nan):
            raise ConfigError(f"{name} of row {nan[0]} holds NaN: the model that made it is broken")
