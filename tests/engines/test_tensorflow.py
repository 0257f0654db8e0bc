import tempfile

import numpy as np
import pytest

from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine
from nqperf.errors import ConfigError, FormatError
from nqperf.nq.features import FeatureConfig, concatenate
from nqperf.nq.logits import LOGITS_FIELDS
from nqperf.nq.logits import concatenate as concatenate_logits
from nqperf.pipeline import PipelineConfig, prepare
from tests.references import bert

LENGTH = 32
LENGTHS = PipelineConfig(features=FeatureConfig(max_seq_length=LENGTH, doc_stride=11, max_query_length=9))


@pytest.fixture(scope="module")
def features(river_documents, sentencepiece):
    return concatenate(list(prepare(river_documents, sentencepiece, LENGTHS)))


@pytest.fixture(scope="module")
def engine(tiny_config, tiny_weights):
    return TensorFlowEngine(tiny_config, tiny_weights, TensorFlowConfig(batch_size=4), seq_length=LENGTH)


def test_logits_are_those_of_the_reference(engine, features, tiny_config, tiny_weights):
    logits = concatenate_logits(list(engine.predict([features])))
    inputs = features.input_ids, features.input_mask, features.segment_ids
    expected = bert.logits(tiny_weights, tiny_config, *inputs)
    for name, values in zip(LOGITS_FIELDS[1:], expected, strict=True):
        assert np.allclose(getattr(logits, name), values, rtol=0, atol=2e-5)
    assert np.array_equal(logits.unique_id, features.unique_id)


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_blocks_of_any_length_give_the_same_bits(engine, features, size):
    blocks = [features.rows(start, min(start + size, len(features))) for start in range(0, len(features), size)]
    logits = concatenate_logits(list(engine.predict(blocks)))
    expected = concatenate_logits(list(engine.predict([features])))
    for name in LOGITS_FIELDS:
        assert np.array_equal(getattr(logits, name), getattr(expected, name))


def test_a_padded_last_batch_is_not_traced_again(engine, features):
    assert len(features) % 4
    engine.trace()
    for rows in (1, 4, 5, len(features)):
        assert len(concatenate_logits(list(engine.predict([features.rows(0, rows)])))) == rows
    assert engine.observed()["traces"] == 1


def test_no_features_are_no_logits(engine):
    assert list(engine.predict([])) == []


def test_an_error_of_the_input_surfaces_as_itself(engine, features):
    wrong = FormatError("broken", path="a.jsonl", line=3)

    def broken():
        yield features.rows(0, 5)
        raise wrong

    with pytest.raises(FormatError) as caught:
        list(engine.predict(broken()))
    assert caught.value is wrong


def test_rows_of_another_length_or_vocabulary_are_refused(engine, features, river_documents, sentencepiece):
    longer = PipelineConfig(features=FeatureConfig(max_seq_length=LENGTH + 1, doc_stride=11, max_query_length=9))
    with pytest.raises(ConfigError, match="features of 33 positions among features of 32"):
        list(engine.predict([features, *prepare(river_documents, sentencepiece, longer)]))
    foreign = features.rows(0, 1)
    foreign.input_ids[0, 3] = sentencepiece.vocabulary.size
    with pytest.raises(ConfigError, match="prepare them with this one's"):
        list(engine.predict([foreign]))
    foreign.input_ids[0, 3] = 0


def test_sequences_longer_than_the_models_positions_are_refused(tiny_config, tiny_weights):
    with pytest.raises(ConfigError, match="prepare them with --max-seq-length 48 or less"):
        TensorFlowEngine(tiny_config, tiny_weights, TensorFlowConfig(), seq_length=49)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="batch_size is 0"):
        TensorFlowConfig(batch_size=0)


@pytest.mark.parametrize(("precision", "limit"), [("mixed_bfloat16", 0.05), ("mixed_float16", 0.005)])
def test_precision_and_xla_are_observed_and_change_little(tiny_config, tiny_weights, features, precision, limit):
    config = TensorFlowConfig(batch_size=4, precision=precision, xla=precision == "mixed_bfloat16")
    engine = TensorFlowEngine(tiny_config, tiny_weights, config, seq_length=LENGTH)
    some = features.rows(0, 4)
    logits = concatenate_logits(list(engine.predict([some])))
    expected = bert.logits(tiny_weights, tiny_config, some.input_ids, some.input_mask, some.segment_ids)
    assert logits.start_logits.dtype == np.float32
    assert 0 < np.abs(logits.start_logits - expected[0]).max() < limit
    observed = engine.observed()
    assert (observed["compute_dtype"], observed["xla"]) == (precision.removeprefix("mixed_"), config.xla)


def test_tracing_leaves_no_generated_code_in_the_temporary_folder(tiny_config, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    TensorFlowEngine(tiny_config, tiny_weights, TensorFlowConfig(batch_size=1), seq_length=8).trace()
    assert list(tmp_path.iterdir()) == []
