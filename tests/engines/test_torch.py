"""The PyTorch engine in this process: its answers, and what is seen of them; test_engines holds it to TensorFlow's."""

import dataclasses

import msgspec
import numpy as np
import pytest

from nqperf.engines.registry import ENGINES, find_engine
from nqperf.engines.state import EngineState
from nqperf.engines.torch.products import Products
from nqperf.errors import ConfigError
from nqperf.model.weights import initial_weights
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.perf.variants.table import VARIANTS
from tests.families import CONFIGS
from tests.perf.machine.machines import ZEN_5, like
from tests.references import bert
from tests.rows import batch_of

LENGTH = 32
ROW = ENGINES["torch"]


@pytest.fixture(scope="module", autouse=True)
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def loaded(config, weights, **settings):
    return ROW.load(config, weights, {"batch_size": 3, **settings}, seq_length=LENGTH)


def computed(engine, inputs):
    batch = engine.put(inputs)
    engine.trace()
    engine.watch(lambda: engine.finish(engine.run(batch)))
    return engine.finish(engine.run(batch)), engine.state()


@pytest.fixture(scope="module", params=list(CONFIGS))
def family(request):
    config = dataclasses.replace(CONFIGS[request.param], initializer_range=0.2)
    return config, initial_weights(config, seed=3), batch_of(config, [LENGTH, 20, 7], LENGTH)


def test_the_logits_are_the_readable_references():
    config = dataclasses.replace(CONFIGS["bert"], initializer_range=0.2)
    weights, inputs = initial_weights(config, seed=3), batch_of(config, [LENGTH, 20, 7], LENGTH)
    found, _ = computed(loaded(config, weights), inputs)
    expected = bert.logits(weights, config, *inputs.values())
    for name, values in zip(MODEL_OUTPUTS, expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=0, atol=2e-6)


def test_every_family_answers_as_another_engine_does(family):
    pytest.importorskip("onnxruntime")
    config, weights, inputs = family
    other = find_engine("onnxruntime").load(config, weights, {"batch_size": 3}, seq_length=LENGTH)
    expected = other.finish(other.run(other.put(inputs)))
    found, state = computed(loaded(config, weights), inputs)
    for name in MODEL_OUTPUTS:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=5e-6)
    assert VARIANTS["torch"].without_effect(state) is None
    assert state.matmuls == other.state().matmuls or config.causal or state.matmuls > other.state().matmuls
    for precision, limit in (("mixed_bfloat16", 0.05), ("mixed_float16", 0.006)):
        narrow, seen = computed(loaded(config, weights, precision=precision), inputs)
        assert seen.compute_dtype == precision.removeprefix("mixed_")
        assert seen.low_precision_matmul_share > 0.8
        assert VARIANTS["torch"].without_effect(seen)
        for name in MODEL_OUTPUTS:
            assert narrow[name].dtype == np.float32
            assert 0 < np.abs(narrow[name] - expected[name]).max() < limit


def test_products_are_counted_one_by_one(torch):
    config = CONFIGS["bert"]
    engine = loaded(config, initial_weights(config, seed=1))
    assert engine.state().matmuls is None  # before the first run nothing has been seen
    assert engine.state().device is None
    _, state = computed(engine, batch_of(config, [LENGTH, 9, 3], LENGTH))
    # In a block four layers of attention, two products in it and two of feed-forward; the pooler, and the two heads.
    assert state.matmuls == 8 * config.num_hidden_layers + 3
    assert state.device == ("gpu" if torch.cuda.is_available() else "cpu")
    assert state.intra_op_threads == state.own["requested_threads"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EngineState) == state  # as a worker sends it


def test_a_row_of_padding_alone_is_finite_and_changes_no_other():
    config = CONFIGS["bert"]
    engine = loaded(config, initial_weights(config, seed=1))
    inputs = batch_of(config, [LENGTH, 9, 0], LENGTH)
    found, _ = computed(engine, inputs)
    others = {name: np.concatenate([values[:2], values[:1]]) for name, values in inputs.items()}
    again, _ = computed(engine, others)
    for name in MODEL_OUTPUTS:
        assert np.isfinite(found[name]).all()
        np.testing.assert_allclose(found[name][:2], again[name][:2], rtol=0, atol=1e-6)


def test_work_to_plant_and_a_large_product():
    config = CONFIGS["bert"]
    engine = loaded(config, initial_weights(config, seed=1))
    engine.multiply(3)
    product, operations = engine.large_product()
    product()
    assert operations >= 2 * 1536**3


# PyTorch's compiler warns of its own parts.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "row"), [({}, "torch_compile"), ({"precision": "mixed_bfloat16"}, "torch_bfloat16_compile")]
)
def test_what_is_compiled_is_seen_to_be_the_whole_function(settings, row):
    config = dataclasses.replace(CONFIGS["bert"], initializer_range=0.2)
    weights, inputs = initial_weights(config, seed=3), batch_of(config, [LENGTH, 20, 7], LENGTH)
    expected, _ = computed(loaded(config, weights, **settings), inputs)
    found, state = computed(loaded(config, weights, compiled=True, **settings), inputs)
    for name in MODEL_OUTPUTS:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=5e-6 if not settings else 5e-3)
    assert state.traces == 1
    assert state.matmuls == 8 * config.num_hidden_layers + 3
    assert VARIANTS[row].without_effect(state) is None
    assert VARIANTS[row.removesuffix("_compile")].without_effect(state)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"precision": "int8"}, "a setting of the engine torch: Invalid enum value 'int8'"),
        (
            {"xla": True},
            "the engine torch has no setting xla; expected some of batch_size, buckets, in_flight, precision",
        ),
    ],
)
def test_a_setting_that_it_does_not_have_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        ROW.config(settings)


def test_what_a_machine_lacks_is_told():
    bare = like(ZEN_5, torch_bfloat16=None, torch_compiler=None)
    assert "bfloat16 cannot be used here: it was not seen to work" in VARIANTS["torch_bfloat16"].missing(bare)
    assert "PyTorch's compiler cannot be used here" in VARIANTS["torch_compile"].missing(bare)
    assert VARIANTS["torch"].missing(bare) is None


def test_a_call_that_multiplies_nothing_is_no_product(torch):
    products = Products()
    products.add("add", torch.ones(2))
    assert (products.types, products.narrow_share) == ([], None)
    products.add("addmm", torch.ones(2, dtype=torch.bfloat16))
    products.add("_scaled_dot_product_flash_attention_for_cpu", (torch.ones(2), torch.ones(2)))
    assert products.types == ["bfloat16", "float32", "float32"]
    assert products.narrow_share == 1 / 3
    assert products.devices == {"cpu"}
