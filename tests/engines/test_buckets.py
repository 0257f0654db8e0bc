"""Windows run in buckets have the logits and the answers that they have in the full length, in their order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.cli.main import main
from nqperf.engines import batches
from nqperf.engines.registry import find_engine
from nqperf.engines.tensorflow import TensorFlowConfig
from nqperf.errors import ConfigError
from nqperf.nq.features import Features
from nqperf.nq.logits import concatenate
from tests.documents import river_examples, write_lines
from tests.engines.numpy_engine import ROW
from tests.shards.kills import SHORT_WINDOWS

LENGTH = 24
BUCKETS = (6, 13)
ROWS = 40


def load(row, config, weights, **changes):
    return row.load(config, weights, {"batch_size": 3, **changes}, seq_length=LENGTH)


@pytest.fixture(scope="module", params=["tensorflow", "numpy"])
def engines(request, tiny_config, tiny_weights):
    row = ROW if request.param == "numpy" else find_engine(request.param)
    return load(row, tiny_config, tiny_weights), load(row, tiny_config, tiny_weights, buckets=BUCKETS)


def features_of(used, vocab_size):
    """Return rows of these lengths, and no two with the same pieces."""
    used = np.array(used)
    mask = (np.arange(LENGTH) < used[:, None]).astype(np.int32)
    pieces = np.random.default_rng(len(used)).integers(1, vocab_size, mask.shape).astype(np.int32)
    return Features(
        unique_id=np.arange(len(used), dtype=np.int64),
        input_ids=pieces * mask,
        input_mask=mask,
        segment_ids=mask * (np.arange(LENGTH) > 2),
        token_map=np.where(mask, np.arange(LENGTH), -1).astype(np.int32),
    )


@settings(max_examples=25, deadline=None)
@given(
    used=st.lists(st.integers(1, LENGTH), min_size=1, max_size=ROWS), block=st.integers(1, ROWS), pool=st.integers(1, 4)
)
def test_buckets_change_no_answer(engines, tiny_config, used, block, pool):
    plain, bucketed = engines
    features = features_of(used, tiny_config.vocab_size)
    blocks = [features.rows(start, min(start + block, len(used))) for start in range(0, len(used), block)]
    expected = concatenate(list(plain.predict(blocks)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "_POOL_BATCHES", pool)
        found = concatenate(list(bucketed.predict(blocks)))
    assert np.array_equal(found.unique_id, features.unique_id)
    assert np.allclose(found.answer_type_logits, expected.answer_type_logits, rtol=0, atol=1e-5)
    real = features.input_mask != 0
    for name in ("start_logits", "end_logits"):
        assert np.allclose(getattr(found, name)[real], getattr(expected, name)[real], rtol=0, atol=1e-5)
        assert getattr(found, name).shape == real.shape


def test_each_length_is_traced_once(tiny_config, tiny_weights):
    engine = load(find_engine("tensorflow"), tiny_config, tiny_weights, buckets=BUCKETS)
    features = features_of([LENGTH, 5, 5, 13, 7, 13, 1, 2, 6], tiny_config.vocab_size)
    for _ in range(2):
        list(engine.predict([features]))
    assert engine.observed()["traces"] == 3
    one = load(find_engine("tensorflow"), tiny_config, tiny_weights, buckets=BUCKETS)
    list(one.predict([features_of([2, 2, 2], tiny_config.vocab_size)]))
    assert one.observed()["traces"] == 1


def test_the_first_batch_is_handed_over_alone(engines, tiny_config):
    features = features_of([4, 20, 4] * 9, tiny_config.vocab_size)
    for engine in engines:
        assert len(next(engine.predict([features]))) == 3


@pytest.mark.parametrize("buckets", [(0,), (-4, 8), (8, 4), (4, 4)])
def test_odd_buckets_are_refused(buckets):
    with pytest.raises(ConfigError, match="each longer than the one before it"):
        TensorFlowConfig(buckets=buckets)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("256,128", "buckets are 256, 128; expected lengths of 1 or more, each longer than the one before it"),
        ("0", "buckets are 0; expected lengths of 1 or more"),
        ("128,many", "--buckets '128,many' is no list of lengths; expected some such as 128,256,384"),
        ("8,1000", "a bucket has 1000 positions, the model 48; expected no more than those"),
    ],
)
def test_odd_buckets_are_one_line_and_leave_nothing(text, said, model_folder, tmp_path, capsys):
    out = tmp_path / "out"
    data = write_lines(tmp_path / "data.jsonl", river_examples(1))
    arguments = ("run", data, "--model", model_folder, "--out", out, *SHORT_WINDOWS, "--buckets", text)
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()
