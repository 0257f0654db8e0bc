import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nqperf.engines.batches import batched
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
