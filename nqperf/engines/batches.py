"""Features cut into batches of one size, which suits the device, so that a graph is traced once."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.nq.example import IntArray
from nqperf.nq.features import FEATURE_FIELDS, MODEL_INPUTS, Features, concatenate
from nqperf.nq.logits import Logits
from nqperf.nq.logits import concatenate as concatenate_logits

# A CPU is busy with a few windows, and computes the empty rows of a last batch as it does the others; a GPU must be
# filled.
CPU_BATCH, GPU_BATCH = 4, 32
# So many batches' rows are sorted by length at once: enough that few batches are mixed, few enough to be held.
_POOL_BATCHES = 64
# What stands where a window was not run, in the place of a logit that no answer is read from.
PADDING_LOGIT = -1e4

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """`batch_size` rows of model input, of which the first `real_rows` are real and the rest are empty.

    `length` is how many positions of them are run: all, or as many as the longest row's bucket has.
    Shapes: features' int32[batch_size, s]; each input int32[batch_size, length].
    """

    features: Features
    real_rows: int
    length: int

    def inputs(self) -> dict[str, IntArray]:
        """Return what the model reads."""
        return {name: np.ascontiguousarray(getattr(self.features, name)[:, : self.length]) for name in MODEL_INPUTS}


def batched(blocks: Iterable[Features], batch_size: int) -> Iterator[Batch]:
    """Cut `blocks` of any length into batches of `batch_size` rows; only the last is filled up, with rows of zeros."""
    held: list[Features] = []
    rows = 0
    for block in blocks:
        held.append(block)
        rows += len(block)
        if rows < batch_size:
            continue
        joined = concatenate(held)
        whole = rows - rows % batch_size
        for start in range(0, whole, batch_size):
            yield _batch(joined.rows(start, start + batch_size), batch_size)
        held = [joined.rows(whole, rows)]
        rows -= whole
    if rows:
        yield _batch(concatenate(held), batch_size)


def bucketed(
    blocks: Iterable[Features], batch_size: int, lengths: tuple[int, ...], order: deque[Rows]
) -> Iterator[Batch]:
    """Cut `blocks` into batches of rows of like length; which rows of the stream each batch holds is added to `order`.

    A batch has `batch_size` rows and is run in one of `lengths`, ascending, of which the last is that of the inputs.
    The rows of `_POOL_BATCHES` batches are sorted at once, those of the first batch alone, so that it need not wait:
    there are as many batches as without buckets, and each holds the same rows whatever was run before.
    """
    start = 0
    for pool in _pools(blocks, batch_size):
        for rows, length in by_length(pool.input_mask, batch_size, lengths):
            order.append(rows + start)
            features = Features(**{name: getattr(pool, name)[rows] for name in FEATURE_FIELDS})
            yield dataclasses.replace(_batch(features, batch_size), length=length)
        start += len(pool)


def by_length(input_mask: IntArray, batch_size: int, lengths: tuple[int, ...]) -> list[tuple[Rows, int]]:
    """Return which rows make up each batch of `batch_size`, and the one of `lengths` that suits its longest row.

    The longest come first, so that the last batch, which may be filled up with empty rows, is a short one. Within a
    length rows stay in order. The last of the ascending `lengths` is that of the inputs.

    Shapes: input_mask int32[n, s].
    """
    positions = input_mask.shape[1]
    used = positions - np.argmax(input_mask[:, ::-1] != 0, axis=1)
    used[~input_mask.any(axis=1)] = 0
    bucket = np.searchsorted(lengths, used)
    order = np.argsort(-bucket, kind="stable")
    starts = range(0, len(order), batch_size)
    return [(order[start : start + batch_size], lengths[bucket[order[start]]]) for start in starts]


def in_order(found: Iterable[Logits], order: deque[Rows]) -> Iterator[Logits]:
    """Yield the logits of `bucketed` batches in the order of the stream, each as soon as all before it are there.

    `found` are the logits, a block a batch, and `order` says which rows of the stream each holds; it is emptied.
    """
    held: list[tuple[Rows, Logits]] = []
    done = 0
    for block in found:
        held.append((order.popleft(), block))
        rows = np.concatenate([rows for rows, _ in held])
        if int(rows.max()) + 1 - done == len(rows):
            yield concatenate_logits([block for _, block in held]).taken(np.argsort(rows))
            done, held = done + len(rows), []


def _pools(blocks: Iterable[Features], batch_size: int) -> Iterator[Features]:
    """Yield the rows of one batch, and then of `_POOL_BATCHES` at once."""
    held: list[Features] = []
    pool = batch_size
    for batch in batched(blocks, batch_size):
        held.append(batch.features.rows(0, batch.real_rows))
        if sum(map(len, held)) >= pool:
            yield concatenate(held)
            held, pool = [], batch_size * _POOL_BATCHES
    if held:
        yield concatenate(held)


def _batch(features: Features, batch_size: int) -> Batch:
    """Return a batch of these rows, filled up with empty ones."""
    rows = len(features)
    whole = features if rows == batch_size else _filled_up(features, batch_size)
    return Batch(features=whole, real_rows=rows, length=features.input_ids.shape[1])


def _filled_up(features: Features, rows: int) -> Features:
    missing = rows - len(features)
    filled = {}
    for name in FEATURE_FIELDS:
        array = getattr(features, name)
        filled[name] = np.concatenate([array, np.zeros((missing, *array.shape[1:]), dtype=array.dtype)])
    return Features(**filled)
