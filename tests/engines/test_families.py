import dataclasses

import numpy as np
import pytest

from nqperf.engines.registry import find_engine
from nqperf.model.families import FAMILIES
from nqperf.model.weights import initial_weights
from nqperf.nq.features import Features
from nqperf.nq.logits import concatenate
from tests.families import CONFIGS

LENGTH = 40


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_compiled_graph_gives_what_single_operations_give(family):
    config = dataclasses.replace(CONFIGS[family], initializer_range=0.2)
    weights = initial_weights(config, seed=1)
    mask = (np.arange(LENGTH) < np.array([40, 30, 11, 5])[:, None]).astype(np.int32)
    ids = np.random.default_rng(0).integers(2, config.vocab_size, mask.shape).astype(np.int32) * mask
    rows = Features(unique_id=np.arange(4), input_ids=ids, input_mask=mask, segment_ids=mask, token_map=mask - 1)
    found = []
    for settings in ({"eager": True}, {"xla": True}):
        engine = find_engine("tensorflow").load(config, weights, {"batch_size": 3, **settings}, seq_length=LENGTH)
        found.append(concatenate(list(engine.predict([rows]))))
    for name in ("start_logits", "end_logits", "answer_type_logits"):
        np.testing.assert_allclose(getattr(found[0], name), getattr(found[1], name), rtol=0, atol=2e-5)
