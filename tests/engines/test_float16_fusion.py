"""Products in float16 that Grappler fuses with their bias: where they stall, mixed_float16 leaves them apart."""

import json
import subprocess
import sys

import pytest

from nqperf.engines.tensorflow import device
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.variants.variant import Variant
from tests.perf.machine.machines import SAPPHIRE_RAPIDS, SLOW_FLOAT16, like

# In a process of its own, for Grappler's options cannot be unset.
SCRIPT = """
import json
import numpy as np
from nqperf.engines.registry import find_engine
from nqperf.engines.tensorflow import states as module
from nqperf.engines.tensorflow.graphs import graphs_of
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights
from nqperf.nq.features import MODEL_INPUTS

config = BertConfig(vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
                    max_position_embeddings=16)
weights = initial_weights(config, seed=1)

def fused(cost, **settings):
    module.float16_fusion_cost = lambda: cost
    settings = {"batch_size": 2, "precision": "mixed_float16", **settings}
    engine = find_engine("tensorflow").load(config, weights, settings, seq_length=16)
    batch = engine.put(dict.fromkeys(MODEL_INPUTS, np.ones((2, 16), np.int32)))
    graphs = graphs_of(lambda: engine.finish(engine.run(batch)))
    nodes = [node for one in graphs.function_graphs for graph in one.partition_graphs for node in graph.node]
    return [engine.observed()["grappler"].get("remapping"), sum("FusedMatMul" in node.op for node in nodes)]

print(json.dumps([
    fused(1.0), fused(640.0, precision="float32"), fused(640.0, xla=True)[:1],
    fused(640.0, grappler={"remapping": True}), fused(640.0),
]))
"""


@pytest.mark.slow
def test_what_stalls_is_left_apart_and_nothing_else():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    healthy, float32, compiled, as_set, apart = json.loads(done.stdout.splitlines()[-1])
    if not healthy[1]:
        pytest.skip("Grappler fuses nothing in float16 here")
    assert [healthy[0], float32[0], compiled[0]] == [None, None, None]
    assert as_set == [True, healthy[1]]
    assert apart == [False, 0]


@pytest.mark.parametrize(
    ("machine", "settings", "named"),
    [
        (SLOW_FLOAT16, {"precision": "mixed_float16", "grappler": {"remapping": True}}, True),
        (SLOW_FLOAT16, {"precision": "mixed_float16", "autoclustering": True}, True),
        (SLOW_FLOAT16, {"precision": "mixed_float16", "xla": True}, False),
        (SLOW_FLOAT16, {"precision": "mixed_float16", "eager": True}, False),
        (SLOW_FLOAT16, {"precision": "mixed_bfloat16"}, False),
        (SLOW_FLOAT16, {}, False),
        (SAPPHIRE_RAPIDS, {"precision": "mixed_float16"}, False),
    ],
)
def test_the_engine_names_why_a_row_is_slow(machine, settings, named):
    said = Variant(name="mine", description="", effects=(), settings=settings).slow_because(machine)
    assert (said is not None) == named
    if said is not None:
        assert "takes 640 times as long as the product alone here: oneDNN has only a reference kernel for it" in said


def test_engines_that_know_of_nothing_name_nothing():
    row = Variant(name="mine", description="", effects=(), engine="onnxruntime", settings={})
    assert row.slow_because(SLOW_FLOAT16) is None
    assert row.products_alone(SLOW_FLOAT16) is None


@pytest.mark.parametrize(
    ("speeds", "settings", "named"),
    [
        ((0.8, 0.87), {"precision": "mixed_float16"}, "float16 products alone are 0.80 to 0.87 times as fast"),
        ((0.8, 1.9), {"precision": "mixed_float16"}, "float16 products alone are 0.80 to 1.90 times as fast"),
        ((0.8, 0.87), {"precision": "mixed_bfloat16"}, "bfloat16 products alone are 1.90 to 2.10 times as fast"),
        ((0.8, 0.87), {"precision": "mixed_float16", "xla": True}, None),
        (
            (0.8, 0.87),
            {"precision": "mixed_float16", "autoclustering": True},
            "float16 products alone, not compiled by XLA, are 0.80 to 0.87 times as fast",
        ),
        ((0.8, 0.87), {}, None),
    ],
)
def test_the_engine_says_what_the_type_of_16_bits_gains_alone(speeds, settings, named):
    machine = like(SAPPHIRE_RAPIDS, float16=speeds, bfloat16=(1.9, 2.1))
    said = Variant(name="mine", description="", effects=(), settings=settings).products_alone(machine)
    if named is None:
        assert said is None
        return
    more = ", and casts come on top" if "0.87" in named else ", and casts, and the other ops in 16 bits, come on top"
    if settings.get("autoclustering"):
        more = "; those that XLA compiles were not timed"
    assert said == f"{named} as float32 ones{more}"


def test_a_healthy_cpu_does_not_stall():
    if "avx512_fp16" in take_fingerprint().isa:
        pytest.skip("a CPU with AVX512-FP16, where it may")
    device.float16_fusion_cost.cache_clear()
    assert device.float16_fusion_cost() < device.STALLING
