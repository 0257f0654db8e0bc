"""What XLA is allowed to round: read from the module that it was given, which says so on a CPU too."""

import json
import subprocess
import sys

import pytest

from nqperf.engines.tensorflow.graphs import may_round

DOT = "  %MatMul.2 = f32[64,64]{1,0} dot(f32[64,64]{1,0} %a, f32[64,64]{1,0} %b), lhs_contracting_dims={1}"
# In a process of its own, for TF32 holds for all of it.
SCRIPT = """
import json
import numpy as np
from nqperf.engines.registry import find_engine
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights
from nqperf.nq.features import MODEL_INPUTS

config = BertConfig(vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
                    max_position_embeddings=16)

def seen(**settings):
    engine = find_engine("tensorflow").load(
        config, initial_weights(config, seed=1), {"batch_size": 2, **settings}, seq_length=16
    )
    batch = engine.put(dict.fromkeys(MODEL_INPUTS, np.ones((2, 16), np.int32)))
    engine.watch(lambda: engine.finish(engine.run(batch)))
    state = engine.state()
    return [state.own["xla_tf32"], state.own["xla_compiled"], state.device, state.low_precision_matmul_share]

print(json.dumps([seen(), seen(xla=True), seen(xla=True, tf32=True), seen(xla=True, precision="mixed_bfloat16")]))
"""


@pytest.mark.parametrize(
    ("hlo", "may"),
    [
        ("", False),
        (DOT, True),
        (f"{DOT}, operand_precision={{highest,highest}}", False),
        (f"{DOT}, operand_precision={{highest,highest}}\n{DOT}", True),
        (DOT.replace("f32", "bf16"), False),
        (DOT.replace("dot(f32", "dot(bf16"), False),
    ],
)
def test_a_wide_product_that_is_not_told_to_stay_so_may_be_rounded(hlo, may):
    assert may_round(hlo) is may


@pytest.mark.slow
def test_what_xla_is_given_says_whether_it_may():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    graph, strict, rounding, narrow = json.loads(done.stdout.splitlines()[-1])
    assert graph[:2] == [None, False]
    assert strict[:2] == [False, True]
    assert rounding[:2] == [True, True]
    assert narrow[1] is True
    assert narrow[3] > 0.8
    assert {one[2] for one in (graph, strict, rounding, narrow)} <= {"cpu", "gpu"}
