import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

import nqperf
from nqperf.engines.registry import ENGINES
from nqperf.engines.state import EngineState
from nqperf.nq.features import MODEL_INPUTS
from nqperf.perf.machine.environment import worker_environment
from nqperf.perf.machine.examination import look_at_machine
from nqperf.perf.variants.table import VARIANTS

ROOT = Path(nqperf.__file__).parents[1]
GRAPHS = ("baseline", "eager", "grappler_off", "grappler", "xla", "xla_grappler")
TYPES = ("mixed_float16", "mixed_bfloat16", "amp_bfloat16", "onednn_off", "onednn_on")


def environment_of(name, inherited=None):
    return worker_environment(VARIANTS[name].engine_row(), VARIANTS[name].environment, inherited)


def test_a_worker_gets_its_own_switches_and_none_of_the_callers():
    inherited = {
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "MALLOC_TRIM_THRESHOLD_": "1",
        "GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1:glibc.pthread.rseq=0",
        "HOME": "/home/x",
        "COV_CORE_SOURCE": "nqperf",
        "COVERAGE_PROCESS_START": "setup.cfg",
        "PYTHONBREAKPOINT": "debugger.start",
        "PYTEST_CURRENT_TEST": "tests/test_it.py::test_it (call)",
    }
    plain = worker_environment(ENGINES["tensorflow"], {}, inherited)
    assert plain.keys().isdisjoint(inherited.keys() - {"GLIBC_TUNABLES", "HOME"})
    assert plain["GLIBC_TUNABLES"] == "glibc.pthread.rseq=0"
    assert plain["HOME"] == "/home/x"
    assert plain["KERAS_BACKEND"] == "tensorflow"
    assert environment_of("allocator", inherited)["MALLOC_TRIM_THRESHOLD_"] == str(8 << 30)


@pytest.mark.parametrize("value", ["0", "1"])
def test_what_the_user_set_for_the_machine_holds_for_every_row_that_does_not_set_it_itself(value):
    inherited = {"TF_ENABLE_ONEDNN_OPTS": value, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    for name in ("baseline", "xla", "allocator"):
        assert environment_of(name, inherited).items() >= inherited.items()
    assert environment_of("onednn_off", inherited)["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert environment_of("onednn_on", inherited)["TF_ENABLE_ONEDNN_OPTS"] == "1"


def test_the_package_in_use_is_the_workers_too(tmp_path):
    environment = worker_environment(ENGINES["tensorflow"], {}, {**os.environ, "PYTHONPATH": str(tmp_path)})
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
def test_switches_survive_the_protocol_and_are_recorded_one_by_one(name):
    variant = VARIANTS[name]
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode([variant.engine_row(), variant.settings]))
    row = msgspec.convert(sent[0], type(variant.engine_row()))
    assert row == variant.engine_row()
    assert row.config(sent[1]) == row.config(variant.settings)
    assert all(isinstance(value, str | int | float | bool | None) for value in variant.requested().values())


# Each variant needs a process of its own, for switches cannot be unset. Those that start with the same variables are
# forked off one that has imported TensorFlow and not used it; what is observed of them is printed as JSON, a line each.
SCRIPT = """
import gc, os, sys
gc.disable()  # half of TensorFlow's import
import keras, msgspec, numpy as np, tensorflow
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights
from nqperf.nq.features import MODEL_INPUTS
from nqperf.perf.variants.table import VARIANTS

config = BertConfig(vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
                    max_position_embeddings=16)
for name in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    variant = VARIANTS[name]
    settings = {**variant.settings, "batch_size": 2}
    engine = variant.engine_row().load(config, initial_weights(config, seed=1), settings, seq_length=16)
    batch = engine.put(dict.fromkeys(MODEL_INPUTS, np.ones((2, 16), np.int32)))
    engine.watch(lambda: engine.finish(engine.run(batch)))
    print(name, msgspec.json.encode(engine.state()).decode(), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def observed():
    """Return a function from a variant to what is seen of it."""
    seen, said = {}, {}

    def once(name):
        if name not in said:
            environment = environment_of(name)
            names = [one for one in (*GRAPHS, *TYPES) if environment_of(one) == environment]
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT, *names], env=environment, capture_output=True, text=True, check=True
            )
            said.update(dict.fromkeys(names, done.stderr))
            for line in done.stdout.splitlines():
                one, _, found = line.partition(" ")
                seen[one] = msgspec.json.decode(found, type=EngineState)
        assert name in seen, said[name]
        return seen[name]

    return once


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_every_switch_is_seen_to_work(name, observed):
    states = observed(name)
    assert VARIANTS[name].without_effect(states) is None
    assert states.device in ("cpu", "gpu")
    assert (
        states.own["eager"] or states.matmuls == 11
    )  # 4 of attention's layers, 2 products in it, 2 feed-forward, 3 heads


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_seen_to_be_computed_in(name, observed):
    reason = VARIANTS[name].missing(look_at_machine(engines=()))
    if reason:
        pytest.skip(f"another machine: {reason}")
    # One layer has few products beside the two heads, which stay in float32: 9 of 11.
    assert VARIANTS[name].without_effect(observed(name)) is None


def test_further_runs_trace_nothing(tiny_config, tiny_weights):
    from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine

    engine = TensorFlowEngine(tiny_config, tiny_weights, TensorFlowConfig(batch_size=2), seq_length=16)
    inputs = dict.fromkeys(MODEL_INPUTS, np.ones((2, 16), np.int32))
    engine.watch(lambda: engine.run(inputs))
    engine.run(inputs)
    states = engine.state()
    assert states.traces == 1
    assert VARIANTS["baseline"].without_effect(states) is None
    assert states.device == engine.observed()["device"]
    assert states.device in ("cpu", "gpu")
