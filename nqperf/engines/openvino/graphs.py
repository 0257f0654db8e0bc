"""OpenVINO graphs: kernels in 8 bits, the properties of a compilation, and what a compiled one is seen to do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nqperf.engines.threads import requested_threads

# The types that layers compute in as OpenVINO names them; around products in 8 bits they stay wide.
_TYPES: Mapping[str, str] = {"float32": "f32", "mixed_bfloat16": "bf16", "int8": "f32"}
# Inputs are rounded to 8 bits in groups of so many; longer groups share one scale among more.
_GROUP = 64
# A product with fewer outputs is a head: its time is nothing, and its rounding is the answers'.
_FEWEST_OUTPUTS = 64
_LARGEST = 127
_PROBE_SIZE = 128
_LARGE_SIZE = 1536
_PRODUCTS = ("FullyConnected", "MatMul")


def round_kernels(model: Any) -> None:
    """Put in place of each kernel one of 8 bits with a scale for each output, but for the heads'.

    OpenVINO then rounds the inputs, too, when it runs, where the CPU has units for products of 8 bits.
    """
    for node in model.get_ordered_ops():
        kernel = node.input_value(1).get_node() if node.get_type_name() == "MatMul" else None
        if kernel is None or kernel.get_type_name() != "Constant" or kernel.data.shape[1] < _FEWEST_OUTPUTS:
            continue
        rounded = _rounded_product(node.input_value(0), kernel.data)
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(rounded.output(0))


def _rounded_product(inputs: Any, kernel: np.ndarray) -> Any:
    """Return the product of `inputs` with a kernel, float32[in, out], that is kept in 8 bits."""
    from openvino import opset13 as ops

    scales = np.maximum(np.abs(kernel).max(axis=0) / np.float32(_LARGEST), np.finfo(np.float32).tiny)
    narrow = ops.convert(ops.constant(np.rint(kernel / scales).astype(np.int8).T), "f32")
    return ops.matmul(inputs, ops.multiply(narrow, ops.constant(scales[:, None])), False, True)


def properties(precision: str) -> dict[str, Any]:
    """Return what a compilation is told: nothing that decides about bits or threads is left to a default.

    On a CPU with bfloat16 units the default precision is bfloat16.
    """
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
        "INFERENCE_NUM_THREADS": requested_threads(),
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP if precision == "int8" else 0,
    }


def product_types(compiled: Any) -> list[str]:
    """Return the type that each matrix product of a compiled model runs in, by OpenVINO's name."""
    return [types["runtimePrecision"] for types in _executed(compiled) if types["layerType"] in _PRODUCTS]


def _executed(compiled: Any) -> Iterator[dict[str, str]]:
    """Yield what OpenVINO says of each layer that it executes."""
    for node in compiled.get_runtime_model().get_ops():
        said = node.get_rt_info()
        yield {name: said[name].astype(str) for name in ("layerType", "runtimePrecision")}


@functools.cache
def multiplies_in_int8() -> bool:
    """Return whether a product with a kernel of 8 bits rounds its input, too: else it is widened and multiplied wide.

    The runtime graph calls both of them products in 8 bits.
    """
    generator = np.random.default_rng(7)
    inputs, kernel = (generator.standard_normal((_PROBE_SIZE, _PROBE_SIZE), np.float32) for _ in range(2))
    kernel = np.rint(kernel * 16)
    kernel[0] = _LARGEST  # so that all scales are 1, and the kernel exact
    found = _product("int8", kernel)(inputs)
    exact = inputs.astype(np.float64) @ kernel
    # In float32 all of the sum is right to 5 digits; inputs of 8 bits leave 2.
    return bool(np.abs(found - exact).max() > 1e-4 * np.abs(exact).max())


def large_product(precision: str) -> tuple[Callable[[], object], int]:
    """Return what multiplies large square matrices as a graph of this precision does, and how wide they are."""
    matrix = np.random.default_rng(1).standard_normal((_LARGE_SIZE, _LARGE_SIZE), np.float32)
    multiply = _product(precision, matrix)
    return lambda: multiply(matrix), _LARGE_SIZE


def _product(precision: str, kernel: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the product of square matrices with this kernel, compiled as a graph of this precision is."""
    import openvino
    from openvino import opset13 as ops

    parameter = ops.parameter(list(kernel.shape), openvino.Type.f32)
    if precision == "int8":
        product = _rounded_product(parameter.output(0), kernel)
    else:
        product = ops.matmul(parameter, ops.constant(kernel), False, False)
    model = openvino.Model([product], [parameter])
    request = openvino.Core().compile_model(model, "CPU", properties(precision)).create_infer_request()

    def multiply(inputs: np.ndarray) -> np.ndarray:
        request.infer([inputs], share_inputs=True)
        found: np.ndarray = request.get_output_tensor().data
        return found

    return multiply
