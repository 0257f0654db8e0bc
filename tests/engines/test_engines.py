"""Every engine of the table gives TensorFlow's logits in float32, for every family, batch and length; and says how."""

import dataclasses
from collections import Counter
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from nqperf.defaults import PACKAGED_MODEL
from nqperf.engines.registry import DEFAULT_ENGINE, ENGINES, find_engine
from nqperf.engines.state import EngineState
from nqperf.errors import ConfigError
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.model_folder import open_model, write_model_folder
from nqperf.model.config import TANH_GELU
from nqperf.model.weights import initial_weights
from nqperf.nq.features import MODEL_INPUTS, Features
from nqperf.nq.logits import LOGITS_FIELDS, concatenate
from nqperf.perf.machine.environment import worker_environment
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.workers import protocol
from nqperf.perf.workers.process import WorkerProcess
from tests.arrays import arrays_of
from tests.families import CONFIGS

TIMEOUT = 300
OTHERS = [name for name in ENGINES if name != DEFAULT_ENGINE]
# The network, how long its inputs are, how many windows it is given and how many at once: the last batch is not full.
NETWORKS = {
    "bert": ("bert", {}, 128, 2, 1),
    "bert_tanh": ("bert", {"hidden_act": TANH_GELU}, 512, 3, 2),
    "albert": ("albert", {}, 256, 2, 1),
    "distilbert": ("distilbert", {}, 384, 3, 2),
    "roberta": ("roberta", {}, 200, 5, 3),
    "gpt2": ("gpt2", {}, 131, 5, 4),
    # Heads that together are narrower, or wider, than the stream.
    "bert_few_heads": ("bert", {"num_attention_heads": 3, "head_dim": 6}, 160, 3, 2),
    "gpt2_wide_heads": ("gpt2", {"num_attention_heads": 5, "head_dim": 8}, 96, 2, 2),
}
REFERENCES = {"bert-tiny": ("bert-tiny", None), "checkpoints": ("checkpoints/bert_joint.ckpt", 3)}


@pytest.fixture(scope="module")
def worker_of():
    """Return a function from an engine to its worker, one process for all its models."""
    running = {}

    def started(name):
        if (missing := ENGINES[name].missing()) is not None:
            pytest.skip(missing)
        if name not in running:
            running[name] = WorkerProcess(name, worker_environment(ENGINES[name], {}))
        return running[name]

    yield started
    for worker in running.values():
        worker.end()


@pytest.fixture(scope="module")
def logits_of(worker_of):
    """Return a function from an engine, a folder and inputs to what the engine's worker makes of them, kept."""
    known = {}

    def found(name, folder, inputs, batch_size, **settings):
        key = name, folder, batch_size, *settings.items()
        if key not in known:
            worker, (_, rows, length) = worker_of(name), inputs.shape
            request = protocol.Load(
                model=str(folder),
                identity=open_model(folder).identity,
                engine=ENGINES[name],
                settings=settings,
                inputs=inputs.tobytes(),
                seq_length=length,
                batch_size=batch_size,
            )
            worker.ask(request, protocol.Loaded, timeout=TIMEOUT)
            arrays = worker.ask(protocol.Predict(rows=rows), protocol.Predicted, timeout=TIMEOUT).arrays(rows)
            states = worker.ask(protocol.Observe(), protocol.ObservedStates, timeout=TIMEOUT).states
            known[key] = [array.copy() for array in arrays], states
        return known[key]

    return found


def some_inputs(vocab_size, rows, length):
    """Return windows of several lengths, one of them full."""
    real = np.maximum(length // np.arange(1, rows + 1), 5)
    mask = (np.arange(length) < real[:, None]).astype(np.int32)
    ids = np.random.default_rng(3).integers(2, vocab_size, mask.shape).astype(np.int32) * mask
    return np.stack([ids, mask, mask * (np.arange(length) > 3)]).astype(np.int32)


@pytest.fixture(scope="module")
def network_folder(tmp_path_factory, vocabulary_of):
    """Return a function from one of NETWORKS to its folder."""
    made = {}

    def folder(name):
        if name not in made:
            family, changes, *_ = NETWORKS[name]
            tokenizer = vocabulary_of(family)
            changes = {**changes, "vocab_size": tokenizer.vocabulary_size(), "max_position_embeddings": 514}
            config = dataclasses.replace(CONFIGS[family], initializer_range=0.2, **changes)
            path = tmp_path_factory.mktemp("networks") / name
            write_model_folder(path, config, initial_weights(config, seed=6), tokenizer)
            made[name] = path
        return made[name]

    return folder


def assert_near(found, expected, limit):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=limit)


@pytest.mark.slow(2)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("engine", OTHERS)
def test_float32_is_tensorflows_for_every_family(engine, network, logits_of, network_folder):
    *_, length, rows, batch_size = NETWORKS[network]
    folder = network_folder(network)
    inputs = some_inputs(open_model(folder).config.vocab_size, rows, length)
    found, states = logits_of(engine, folder, inputs, batch_size)
    expected, _ = logits_of(DEFAULT_ENGINE, folder, inputs, batch_size)
    assert_near(found, expected, 1e-4)
    assert np.ptp(found[0]) > 0.1
    assert states.traces == (0 if engine == "torch" else 1)  # PyTorch runs operations as they are called
    assert (states.compute_dtype, states.low_precision_matmul_share) == ("float32", 0)


@pytest.mark.slow(2)
@pytest.mark.parametrize("network", ["bert", "bert_tanh", "gpt2"])
@pytest.mark.parametrize(("engine", "settings"), [("jax", {"attention": "xla"}), ("openvino", {"split": False})])
def test_another_way_within_an_engine_gives_the_same_logits(engine, settings, network, logits_of, network_folder):
    *_, length, rows, batch_size = NETWORKS[network]
    folder = network_folder(network)
    inputs = some_inputs(open_model(folder).config.vocab_size, rows, length)
    found, states = logits_of(engine, folder, inputs, batch_size, **settings)
    expected, _ = logits_of(DEFAULT_ENGINE, folder, inputs, batch_size)
    assert_near(found, expected, 1e-4)
    assert states.low_precision_matmul_share == 0
    if engine == "openvino":
        split, parted = logits_of(engine, folder, inputs, batch_size)
        assert_near(found, split, 1e-5)
        assert states.own["parts"] == 1
        assert parted.own["streams"] == parted.own["parts"]
        assert batch_size % parted.own["parts"] == 0


@pytest.mark.slow(2)
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("engine", OTHERS)
def test_float32_is_tensorflows_for_other_peoples_weights(engine, name, logits_of, shared, tmp_path_factory):
    source, batch_size = REFERENCES[name]
    folder = tmp_path_factory.getbasetemp() / f"{name}-model"
    if not folder.exists():
        convert(shared / "reference" / source, folder, seed=4)
    arrays = arrays_of(shared / "reference" / name / "outputs.npz")
    inputs = np.stack([arrays[field].astype(np.int32) for field in MODEL_INPUTS])
    found, _ = logits_of(engine, folder, inputs, batch_size or inputs.shape[1])
    expected, _ = logits_of(DEFAULT_ENGINE, folder, inputs, batch_size or inputs.shape[1])
    assert_near(found, expected, 1e-4)
    if "start_logits" in arrays:
        assert_near(found, [arrays[field] for field in ("start_logits", "end_logits", "answer_type_logits")], 2e-4)


@pytest.mark.slow(2)
@pytest.mark.parametrize("engine", OTHERS)
def test_float32_is_tensorflows_for_the_packaged_model(engine, logits_of):
    inputs = some_inputs(8000, 2, 128)
    found, states = logits_of(engine, PACKAGED_MODEL, inputs, 2)
    expected, _ = logits_of(DEFAULT_ENGINE, PACKAGED_MODEL, inputs, 2)
    assert_near(found, expected, 1e-4)
    # What a row of this engine, with nothing set, must be seen to do.
    assert VARIANTS[engine].without_effect(states) is None


@pytest.mark.slow(2)
@pytest.mark.parametrize(
    ("row", "limit"), [("openvino_bfloat16", 1.0), ("openvino_int8", 3.0), ("openvino_int8_bfloat16", 3.0)]
)
def test_narrow_rows_are_seen_to_multiply_so(row, limit, logits_of):
    from nqperf.perf.machine.examination import look_at_machine

    variant = VARIANTS[row]
    if (missing := ENGINES[variant.engine].missing()) is not None:
        pytest.skip(missing)
    if (missing := variant.missing(look_at_machine(variant.engine, engines=()))) is not None:
        pytest.skip(f"another machine: {missing}")
    inputs = some_inputs(8000, 2, 128)
    found, states = logits_of(variant.engine, PACKAGED_MODEL, inputs, 2, **variant.settings)
    expected, wide = logits_of(variant.engine, PACKAGED_MODEL, inputs, 2)
    assert variant.without_effect(states) is None
    assert variant.without_effect(wide)
    assert 0 < max(np.abs(one - other).max() for one, other in zip(found, expected, strict=True)) < limit


def test_a_wide_product_is_not_taken_for_a_narrow_one():
    graphs = pytest.importorskip("nqperf.engines.openvino.graphs")
    pytest.importorskip("openvino")
    assert not graphs._loses_small_inputs("float32")
    assert not graphs._loses_last_digits("float32")
    if graphs.multiplies_in("mixed_bfloat16"):
        assert not graphs._loses_small_inputs("mixed_bfloat16")


@pytest.mark.slow(2)
def test_threads_are_as_many_as_tensorflows_variable_says(network_folder):
    """One thread for every engine whose extra is here; the number is what the library reports of itself."""
    inputs = some_inputs(100, 2, 128)
    for name in OTHERS:
        if ENGINES[name].missing():
            continue
        environment = worker_environment(ENGINES[name], {"TF_NUM_INTRAOP_THREADS": "1"})
        with WorkerProcess(name, environment) as worker:
            request = protocol.Load(
                model=str(network_folder("bert")),
                identity=open_model(network_folder("bert")).identity,
                engine=ENGINES[name],
                settings={},
                inputs=inputs.tobytes(),
                seq_length=128,
                batch_size=2,
            )
            worker.ask(request, protocol.Loaded, timeout=TIMEOUT)
            states = worker.ask(protocol.Observe(), protocol.ObservedStates, timeout=TIMEOUT).states
        assert (name, states.intra_op_threads) == (name, 1)
        assert states.device in ("cpu", "gpu") if name == "jax" else states.device == "cpu"
        assert states.own["requested_threads"] == 1


@pytest.mark.slow(2)
@pytest.mark.parametrize("engine", [name for name in OTHERS if name != "jax"])
@pytest.mark.parametrize("buckets", [(), (64, 96)])
def test_batches_one_after_the_other_keep_their_own_rows(engine, buckets, network_folder):
    if (missing := ENGINES[engine].missing()) is not None:
        pytest.skip(missing)
    folder = open_model(network_folder("bert"))
    ids, mask, segments = some_inputs(folder.config.vocab_size, 7, 128)
    rows = Features(
        unique_id=np.arange(7), input_ids=ids, input_mask=mask, segment_ids=segments, token_map=np.zeros_like(ids)
    )
    found = []
    for name, settings in ((engine, {"batch_size": 2, "buckets": buckets}), (DEFAULT_ENGINE, {"batch_size": 3})):
        loaded = ENGINES[name].load(folder.config, folder.read_weights(), settings, seq_length=128)
        found.append(concatenate(list(loaded.predict([rows]))))
    for name in LOGITS_FIELDS[1:]:
        real = mask.astype(bool) if name != "answer_type_logits" else slice(None)
        one, other = (getattr(logits, name)[real] for logits in found)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_cudnns_attention_is_for_sixteen_bits():
    from nqperf.engines.jax import JaxConfig

    assert JaxConfig(attention="cudnn", precision="mixed_float16").attention == "cudnn"
    with pytest.raises(ConfigError, match="attention is cudnn in float32; expected mixed_bfloat16 or mixed_float16"):
        JaxConfig(attention="cudnn")


def test_fused_kernels_of_attention_are_seen_in_the_module():
    row = VARIANTS["jax_bfloat16_attention"]
    own = {"xla_compiled": True, "fused_attention": 12}
    seen = EngineState(
        engine="jax",
        compute_dtype="bfloat16",
        batch_size=32,
        traces=1,
        matmuls=75,
        low_precision_matmul_share=0.97,
        intra_op_threads=1,
        process_threads=None,
        own=own,
    )
    assert row.without_effect(seen) is None
    plain = msgspec.structs.replace(seen, own={**own, "fused_attention": 0})
    assert row.without_effect(plain) == "no kernel of cuDNN's computes attention"


@pytest.mark.parametrize(("batch", "threads", "parts"), [(4, 2, 2), (4, 16, 4), (3, 2, 1), (6, 4, 3), (1, 8, 1)])
def test_a_batch_is_cut_into_equal_parts(batch, threads, parts):
    from nqperf.engines.openvino.graphs import parts_of

    assert parts_of(batch, threads) == parts


def test_a_process_has_one_keras_backend_and_says_so():
    import keras

    from nqperf.engines.jax import JaxEngine

    assert keras.backend.backend() == "tensorflow"
    with pytest.raises(ConfigError, match="start a new process with KERAS_BACKEND=jax"):
        JaxEngine.start()


def test_products_of_a_compiled_module_are_counted_by_their_type():
    from nqperf.engines.jax.engine import compiled_products

    module = """
      %a = f32[2048,2]{1,0} dot(%p.0, %p.1), lhs_contracting_dims={1}, metadata={op_name="jit(f)/span/dot_general"}
      %b = bf16[8,8]{1,0} dot(%p.0, %p.1), lhs_contracting_dims={1}
      ROOT %c = (f16[8,8], s8[64]) custom-call(%x, %y), custom_call_target="__cublas$gemm"
      %d = bf16[8,8]{1,0} add(%b, %b), metadata={op_name="jit(f)/dot_general"}
      %e = f32[8] custom-call(%x), custom_call_target="TopK"
    """
    assert Counter(compiled_products(module)) == {True: 2, False: 1}


def test_the_peak_of_gpu_memory_is_the_librarys_own(monkeypatch):
    """No GPU is needed: each library's own account is what is read, and on a CPU there is none."""
    jax = pytest.importorskip("jax", reason="the extra jax is not installed")
    import tensorflow as tf

    peaks = {name: find_engine(name).engine_type().gpu_peak_memory for name in ("tensorflow", "jax", "openvino")}
    assert [peak() for peak in peaks.values()] == [None, None, None]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", lambda device: {"current": 1, "peak": len(device)})
    assert peaks["tensorflow"]() == len("GPU:0")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": 7})])
    assert peaks["jax"]() == 7
    monkeypatch.setattr(jax, "local_devices", lambda: [SimpleNamespace(memory_stats=lambda: None)])
    assert peaks["jax"]() is None
