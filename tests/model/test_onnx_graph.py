"""The ONNX graph of every family computes what the Keras network computes."""

import dataclasses
import functools

import numpy as np
import pytest

from nqperf.engines.onnxruntime.sessions import products_overflow
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.bert import BertJoint
from nqperf.model.families import FAMILIES
from nqperf.model.variables import assign_weights, build
from nqperf.model.weights import initial_weights
from nqperf.nq.logits import MODEL_OUTPUTS
from tests.families import CONFIGS
from tests.rows import batch_of

onnx = pytest.importorskip("onnx", reason="the extra onnxruntime is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")

from nqperf.errors import ConfigError  # noqa: E402
from nqperf.model.onnx.graph import Int8, rounded_kernel  # noqa: E402
from nqperf.model.onnx.modules import kernel_modules  # noqa: E402
from nqperf.model.onnx.network import onnx_graph  # noqa: E402


def computed(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip(MODEL_OUTPUTS, session.run(list(MODEL_OUTPUTS), inputs), strict=True))


@functools.cache
def network_of(family, gelu="gelu"):
    """Return a family's configuration with kernels large enough that pieces differ, weights, and the Keras network."""
    config = dataclasses.replace(CONFIGS[family], initializer_range=0.2, hidden_act=gelu)
    weights = random_weights(config)
    network = build(BertJoint(config), 48)
    assign_weights(network, weights)
    return config, weights, network


def expected_of(network, inputs):
    return {name: values.numpy() for name, values in network(inputs, training=False).items()}


def random_weights(config, seed=1):
    """Return weights whose biases and norms are random, too."""
    generator = np.random.default_rng(seed)
    drawn = initial_weights(config, seed=seed)
    return {
        name: values if values.ndim > 1 else values + generator.normal(0, 0.3, values.shape).astype(np.float32)
        for name, values in drawn.items()
    }


@pytest.mark.parametrize(("family", "gelu"), [*((family, "gelu") for family in FAMILIES), ("bert", "gelu_new")])
def test_the_graph_computes_what_the_network_computes(family, gelu, tmp_path):
    config, weights, network = network_of(family, gelu)
    paths = {fused: tmp_path / f"{fused}.onnx" for fused in (False, True)}
    for fused, path in paths.items():
        graph = onnx_graph(config, weights, fused=fused)
        write_onnx(path, graph.proto, graph.values)
    for lengths, longest in (([40, 30, 11], 40), ([7], 7), ([1, 48], 48)):
        inputs = batch_of(config, lengths, longest)
        expected = expected_of(network, inputs)
        for fused, path in paths.items():
            for name, values in computed(path, inputs).items():
                np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-4, err_msg=f"fused: {fused}")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("half", "apart"), [(False, 1e-5), (True, 0.02)])
def test_the_graph_in_the_form_for_gpus_computes_what_the_network_computes(family, half, apart, tmp_path):
    """On a CPU, where ONNX Runtime widens float16: what is rounded is rounded, whatever then multiplies it."""
    config, weights, network = network_of(family)
    graph = onnx_graph(config, weights, fused=True, half=half, for_gpu=True)
    write_onnx(tmp_path / "gpu.onnx", graph.proto, graph.values)
    inputs = batch_of(config, [40, 30, 11], 40)
    expected = expected_of(network, inputs)
    for name, values in computed(tmp_path / "gpu.onnx", inputs).items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=apart * np.abs(expected[name]).max())
    types = {str(values.dtype) for values in graph.values.values()}
    assert types == ({"float16", "float32"} if half else {"float32"})


def test_half_is_for_a_fused_graph():
    config = CONFIGS["bert"]
    with pytest.raises(ConfigError, match="half is for a fused graph"):
        onnx_graph(config, initial_weights(config, seed=2), half=True)


@pytest.mark.parametrize(("reduced", "largest"), [(False, 127), (True, 63)])
def test_a_kernel_is_rounded_for_each_output_on_its_own(reduced, largest):
    kernel = np.random.default_rng(3).normal(0, 1, (7, 5)).astype(np.float32) * np.array([1, 10, 1e-3, 0, 1e4], "f4")
    rounded, scales = rounded_kernel(kernel, reduced_range=reduced)
    assert rounded.dtype == np.int8
    assert np.abs(rounded).max(axis=0).tolist() == [largest, largest, largest, 0, largest]
    assert (np.abs(rounded * scales - kernel) <= scales / 2 * 1.001).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("int8", [None, Int8(), Int8(wide=frozenset({"span", "blocks.0.output_dense"}))])
@pytest.mark.parametrize("fused", [False, True])
def test_a_file_is_whole_in_one_part_and_in_two(family, int8, fused, tmp_path):
    config = CONFIGS[family]
    weights = initial_weights(config, seed=2)
    graph = onnx_graph(config, weights, int8, fused=fused)
    inputs = batch_of(config, [12, 5], 12)
    write_onnx(tmp_path / "one.onnx", graph.proto, graph.values)
    write_onnx(tmp_path / "two.onnx", graph.proto, graph.values, largest=1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.onnx", "two.onnx", "two.onnx.data"]
    found = [computed(tmp_path / name, inputs) for name in ("one.onnx", "two.onnx")]
    for name in ("one.onnx", "two.onnx"):
        onnx.checker.check_model(tmp_path / name, full_check=name == "one.onnx")
    stored = onnx.load(tmp_path / "one.onnx")
    for tensor in stored.graph.initializer:
        if tensor.name in graph.values:
            assert np.array_equal(onnx.numpy_helper.to_array(tensor), graph.values[tensor.name])
    for name in MODEL_OUTPUTS:
        assert np.array_equal(found[0][name], found[1][name])
    product = "MatMulIntegerToFloat" if fused else "MatMulInteger"
    names = {node.name for node in stored.graph.node if node.op_type == product}
    assert {node.domain for node in stored.graph.node} == ({"", "com.microsoft"} if fused else {""})
    expected = set() if int8 is None else set(kernel_modules(config)) - int8.wide
    assert {name.removesuffix(".2").removesuffix(".product") for name in names} == expected
    assert set(graph.int8) == expected


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_eight_bits_are_near_and_do_not_depend_on_what_else_is_in_a_batch(family, reduced, fused, tmp_path):
    if not reduced and products_overflow():
        pytest.skip("products of 8-bit weights overflow on this CPU")
    config, weights, _ = network_of(family)
    for name, int8 in {"wide": None, "narrow": Int8(reduced_range=reduced)}.items():
        graph = onnx_graph(config, weights, int8, fused=fused)
        write_onnx(tmp_path / f"{name}.onnx", graph.proto, graph.values)
    one, other = batch_of(config, [20, 20], 20, seed=1), batch_of(config, [20, 7], 20, seed=2)
    beside_another = {name: np.concatenate([one[name][:1], other[name][1:]]) for name in one}
    exact, narrow = (computed(tmp_path / f"{name}.onnx", one) for name in ("wide", "narrow"))
    again = computed(tmp_path / "narrow.onnx", beside_another)
    for name in MODEL_OUTPUTS:
        np.testing.assert_allclose(narrow[name][0], again[name][0], rtol=0, atol=1e-5)
    error = np.linalg.norm(narrow["start_logits"] - exact["start_logits"])
    assert 0 < error < 0.08 * np.linalg.norm(exact["start_logits"])


def test_no_gelu_is_less_than_what_its_products_are_told():
    from scipy.special import erf

    from nqperf.model.onnx.network import _LOWEST_GELU

    values = np.linspace(-6, 6, 120_001)
    gelu = values * (1 + erf(values / np.sqrt(2))) / 2
    tanh = values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3))) / 2
    for least in (gelu.min(), tanh.min()):
        assert _LOWEST_GELU <= least < _LOWEST_GELU + 2e-4
