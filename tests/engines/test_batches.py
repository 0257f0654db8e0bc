import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nqperf.engines.batches import batched, by_length
from nqperf.nq.features import FEATURE_FIELDS, MODEL_INPUTS, concatenate
from tests import strategies


@given(features=strategies.any_features(max_rows=20), data=st.data(), batch_size=st.integers(1, 7))
def test_batches_have_one_size_and_hold_every_row_in_order(features, data, batch_size):
    batches = list(batched(data.draw(strategies.blocks(features)), batch_size))
    assert {len(batch.features) for batch in batches} == {batch_size}
    assert all(batch.real_rows == batch_size for batch in batches[:-1])
    joined = concatenate([batch.features.rows(0, batch.real_rows) for batch in batches])
    for name in FEATURE_FIELDS:
        assert np.array_equal(getattr(joined, name), getattr(features, name))
    assert not any(array[batches[-1].real_rows :].any() for array in batches[-1].inputs().values())
    assert tuple(batches[0].inputs()) == MODEL_INPUTS


def test_no_rows_are_no_batch():
    assert list(batched([], 3)) == []


def slow_batches(used, batch_size, lengths):
    """Return rows and length of each batch: a list a bucket, the longest bucket first, cut where a batch is full."""
    of_bucket = {length: [] for length in reversed(lengths)}
    for row, positions in enumerate(used):
        of_bucket[min(length for length in lengths if length >= positions)].append(row)
    rows = [(row, length) for length, some in of_bucket.items() for row in some]
    cut = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return [([row for row, _ in some], max(length for _, length in some)) for some in cut]


@given(
    used=st.lists(st.integers(0, 12), min_size=1, max_size=30),
    batch_size=st.integers(1, 5),
    buckets=st.sets(st.integers(1, 11), max_size=4),
)
def test_rows_of_like_length_are_run_together(used, batch_size, buckets):
    lengths = (*sorted(buckets), 12)
    mask = (np.arange(12) < np.array(used)[:, None]).astype(np.int32)
    found = by_length(mask, batch_size, lengths)
    assert [(rows.tolist(), length) for rows, length in found] == slow_batches(used, batch_size, lengths)
