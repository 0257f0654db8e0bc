"""The work of a batch is counted in each engine: exact, the same twice, and what the network's sizes say."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nqperf.engines.jax.work import count_module
from nqperf.engines.registry import ENGINES
from nqperf.engines.tensorflow.work import count_executed
from nqperf.model.flops import window_flops
from nqperf.perf.machine.environment import worker_environment
from tests.families import CONFIGS

BATCH, LENGTH, LAYERS = 3, 32, 2
SCRIPT = """
import dataclasses, json, sys
import msgspec
from nqperf.engines.registry import find_engine
from nqperf.model.weights import initial_weights
from tests.families import CONFIGS
from tests.rows import batch_of

name, settings, batch, length = json.loads(sys.argv[1])
row = find_engine(name)
row.engine_type().start()
for layers in (2, 2, 6):
    config = dataclasses.replace(CONFIGS["bert"], num_hidden_layers=layers)
    engine = row.load(
        config, initial_weights(config, seed=3), {**settings, "batch_size": batch}, seq_length=length
    )
    inputs = engine.put(batch_of(config, [length] * batch, length))
    engine.trace()
    engine.watch(lambda: engine.finish(engine.run(inputs)))
    print(msgspec.json.encode(engine.count_work()).decode())
"""
# What is fused into others is seen in no product of its own: attention's two in ONNX Runtime's graph.
WHOLE = {"tensorflow", "jax", "torch", "openvino"}


def counted(name, **settings):
    if (missing := ENGINES[name].missing()) is not None:
        pytest.skip(missing)
    root = str(Path(__file__).parents[2])
    environment = {**worker_environment(ENGINES[name], {}), "PYTHONPATH": root}
    words = [sys.executable, "-c", SCRIPT, json.dumps([name, settings, BATCH, LENGTH])]
    done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_products_are_those_of_the_networks_sizes(name):
    once, again, thrice = counted(name)
    assert once == again
    flops = BATCH * window_flops(dataclasses.replace(CONFIGS["bert"], num_hidden_layers=LAYERS), LENGTH)
    if name in WHOLE:
        assert once["product_flops"] == flops
    else:
        assert 0.5 * flops < once["product_flops"] <= flops
    assert thrice["products"] > 2 * once["products"]
    assert thrice["product_flops"] > 2 * once["product_flops"]
    assert sum(once["operations"].values()) >= once["products"] / 2
    assert once["parameters"] > 0


@pytest.mark.slow
def test_casts_are_counted_in_the_executed_graph():
    wide, narrow = (counted("tensorflow", precision=precision)[0] for precision in ("float32", "mixed_bfloat16"))
    assert narrow["casts"] > wide["casts"]
    assert narrow["product_flops"] == wide["product_flops"]


def test_of_executed_nodes_alone_kinds_products_and_casts_are_known():
    nodes = [SimpleNamespace(op=op) for op in ("_MklFusedMatMul", "BatchMatMulV2", "Cast", "Const", "Identity", "Cast")]
    found = count_executed(nodes)
    assert found.operations == {"BatchMatMulV2": 1, "Cast": 2, "_MklFusedMatMul": 1}
    assert (found.products, found.casts, found.product_flops) == (2, 2, None)
    assert count_executed([]) is None


MODULE = """
module @jit_step {
  func.func public @main(%arg0: tensor<4x8xf32>) -> (tensor<4x2xf32>) {
    %0 = stablehlo.constant dense<0.5> : tensor<8x8xf32>
    %1 = call @layer(%arg0, %0) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %2 = call @layer(%1, %0) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %3 = stablehlo.convert %2 : (tensor<4x8xf32>) -> tensor<4x8xbf16>
    return %2 : tensor<4x8xf32>
  }
  func.func private @layer(%arg0: tensor<4x8xf32>, %arg1: tensor<8x8xf32>) -> tensor<4x8xf32> {
    %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}
"""  # noqa: E501


def test_a_function_of_a_module_counts_as_often_as_it_is_called():
    found = count_module(MODULE, 64)
    assert found.operations == {"convert": 1, "dot_general": 2}
    assert (found.products, found.product_flops, found.casts) == (2, 2 * 2 * 4 * 8 * 8, 1)
    assert found.activation_bytes == 2 * 4 * 8 * 4 + 4 * 8 * 2
    assert found.parameters == 64
