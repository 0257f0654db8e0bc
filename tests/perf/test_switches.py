import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

import nqperf
from nqperf.perf.switches import EngineState, Switches, observe, worker_environment
from nqperf.perf.variants import VARIANTS

ROOT = Path(nqperf.__file__).parents[1]


def test_a_worker_gets_its_own_switches_and_none_of_the_callers():
    inherited = {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2", "TF_ENABLE_ONEDNN_OPTS": "0", "HOME": "/home/x"}
    plain = worker_environment(Switches(), inherited)
    assert "TF_XLA_FLAGS" not in plain
    assert "TF_ENABLE_ONEDNN_OPTS" not in plain
    assert plain["HOME"] == "/home/x"
    assert plain["KERAS_BACKEND"] == "tensorflow"
    assert worker_environment(VARIANTS["onednn_off"].switches, inherited)["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_the_package_in_use_is_the_workers_too(tmp_path):
    environment = worker_environment(Switches(), {**os.environ, "PYTHONPATH": str(tmp_path)})
    found = subprocess.run(
        [sys.executable, "-c", "import nqperf, sys; print(nqperf.__file__, sys.path)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.startswith(nqperf.__file__)
    assert str(tmp_path) in found


@pytest.mark.parametrize("name", VARIANTS)
def test_switches_survive_the_protocol(name):
    switches = VARIANTS[name].switches
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(switches), type=Switches) == switches
    assert all(isinstance(value, str | int | float | bool | None) for value in switches.record().values())


# Each variant needs a process of its own, for switches cannot be unset: what is observed of it is printed as JSON.
SCRIPT = """
import sys
import msgspec, numpy as np
from nqperf.engines.tensorflow import TensorFlowEngine
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights
from nqperf.perf.switches import engine_config, graphs_of, observe, set_process_switches
from nqperf.perf.variants import VARIANTS

switches = VARIANTS[sys.argv[1]].switches
set_process_switches(switches)
config = BertConfig(vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
                    max_position_embeddings=16)
engine = TensorFlowEngine(config, initial_weights(config, seed=1), engine_config(switches, 2), seq_length=16)
inputs = {name: np.ones((2, 16), np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
graphs = graphs_of(lambda: engine.run(inputs)["start_logits"].numpy())
print(msgspec.json.encode(observe(engine, graphs, inputs)).decode())
"""


def observed(name):
    environment = worker_environment(VARIANTS[name].switches, os.environ)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name], env=environment, capture_output=True, text=True, check=True
    )
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=EngineState)


@pytest.fixture(scope="module")
def baseline():
    return observed("baseline")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["baseline", "eager", "grappler_off", "grappler", "xla", "xla_grappler"])
def test_every_switch_is_seen_to_work(name, baseline):
    states = baseline if name == "baseline" else observed(name)
    assert VARIANTS[name].without_effect(states, baseline) is None
    assert states.eager or states.matmuls == 11  # 4 of attention's layers, 2 products in it, 2 feed-forward, 3 heads


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16", "amp_bfloat16", "onednn_off"])
def test_every_type_is_seen_to_be_computed_in(name, baseline):
    from nqperf.perf.fingerprint import take_fingerprint

    reason = VARIANTS[name].missing(take_fingerprint())
    if reason:
        pytest.skip(reason)
    # One layer has few products beside the two heads, which stay in float32: 9 of 11.
    assert VARIANTS[name].without_effect(observed(name), baseline) is None


def test_further_runs_trace_nothing(tiny_config, tiny_weights):
    from nqperf.engines.tensorflow import EngineConfig, TensorFlowEngine
    from nqperf.perf.switches import graphs_of

    engine = TensorFlowEngine(tiny_config, tiny_weights, EngineConfig(batch_size=2), seq_length=16)
    inputs = {name: np.ones((2, 16), np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    graphs = graphs_of(lambda: engine.run(inputs))
    engine.run(inputs)
    states = observe(engine, graphs, inputs)
    assert states.traces == 1
    assert VARIANTS["baseline"].without_effect(states, states) is None
