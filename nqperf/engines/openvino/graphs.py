"""OpenVINO graphs: kernels in 8 bits, the properties of a compilation, and what a compiled one is seen to do."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nqperf.engines.threads import requested_threads
from nqperf.records.work import CountedWork

# The types that layers compute in as OpenVINO names them; those of 8 bits are what stands around the products.
_TYPES: Mapping[str, str] = {"float32": "f32", "mixed_bfloat16": "bf16", "int8": "f32", "int8_bfloat16": "bf16"}
# Inputs are rounded to 8 bits in groups of so many; longer groups share one scale among more.
_GROUP = 64
# A product with fewer outputs is a head: its time is nothing, and its rounding is the answers'.
_FEWEST_OUTPUTS = 64
_LARGEST = 127
_PROBE_SIZE = 128
# Less than half a step of 8 bits where _LARGEST is the largest input.
_LOST_BESIDE_LARGEST = 0.25
# What bfloat16's 8 digits cannot tell from 1.
_ROUNDED_TO_ONE = np.float32(1 + 2.0**-10)
_LARGE_SIZE = 1536
_PRODUCTS = ("FullyConnected", "MatMul")
# What holds values and computes none, by the names of both kinds of graph.
_HELD = frozenset({"Constant", "Const", "Parameter", "Input", "Result", "Output", "Reshape", "Unsqueeze", "Squeeze"})


def round_kernels(model: Any) -> None:
    """Put in place of each kernel of `model` one of 8 bits with a scale for each output, but for the heads'.

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


def parts_of(batch_size: int, threads: int) -> int:
    """Return into how many equal parts a batch of `batch_size` is cut so that each has one of `threads` at least.

    >>> [parts_of(4, 2), parts_of(4, 3), parts_of(3, 2), parts_of(1, 8)]
    [2, 2, 1, 1]
    """
    return next(parts for parts in range(min(batch_size, threads), 0, -1) if batch_size % parts == 0)


def properties(precision: str, *, parts: int = 1) -> dict[str, Any]:
    """Return what a compilation in `precision` is told: nothing about bits or threads is left to a default.

    `parts` of a batch run side by side. On a CPU with bfloat16 units the default precision is bfloat16.
    """
    return {
        "PERFORMANCE_HINT": "LATENCY" if parts == 1 else "THROUGHPUT",
        **({} if parts == 1 else {"NUM_STREAMS": parts}),
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
        "INFERENCE_NUM_THREADS": requested_threads(),
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP if in_int8(precision) else 0,
    }


def in_int8(precision: str) -> bool:
    """Return whether kernels are kept in 8 bits with this `precision` of `OpenVinoConfig`."""
    return precision.startswith("int8")


def product_types(compiled: Any) -> list[str]:
    """Return the type that each matrix product of the model `compiled` runs in, by OpenVINO's name."""
    return [types["runtimePrecision"] for types in _executed(compiled) if types["layerType"] in _PRODUCTS]


def _executed(compiled: Any) -> Iterator[dict[str, str]]:
    """Yield what OpenVINO says of each layer that it executes."""
    for node in compiled.get_runtime_model().get_ops():
        said = node.get_rt_info()
        yield {name: said[name].astype(str) for name in ("layerType", "runtimePrecision")}


def count_graph(model: Any, compiled: Any, parameters: int) -> CountedWork:
    """Return the work of the graph `model`, of known sizes, and of the layers that were `compiled` of it.

    `parameters` is the number of the weights' values.
    """
    kinds = Counter(types["layerType"] for types in _executed(compiled))
    flops = []
    size = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() in _HELD:
            continue
        shapes = [list(output.shape) for output in node.outputs()]
        types = [output.element_type.size for output in node.outputs()]
        size += sum(math.prod(shape) * width for shape, width in zip(shapes, types, strict=True))
        if node.get_type_name() == "MatMul":
            inner = list(node.input_value(0).shape)[-2 if node.get_attributes()["transpose_a"] else -1]
            flops.append(2 * math.prod(shapes[0]) * inner)
    return CountedWork(
        operations={kind: count for kind, count in sorted(kinds.items()) if kind not in _HELD},
        products=len(flops),
        product_flops=sum(flops),
        casts=kinds["Convert"] + kinds["Reorder"],
        activation_bytes=size,
        parameters=parameters,
    )


@functools.cache
def multiplies_in(precision: str) -> bool:
    """Return whether a product in this `precision` loses what inputs of 8 or 16 bits lose; widened, it loses nothing.

    The runtime graph calls a product one of 8 bits also where only the kernel is kept in them.
    """
    return _loses_small_inputs(precision) if in_int8(precision) else _loses_last_digits(precision)


def _loses_small_inputs(precision: str) -> bool:
    """Return whether inputs that are small beside the largest count as nothing, as they do in 8 bits."""
    inputs = np.full((_PROBE_SIZE, _PROBE_SIZE), _LOST_BESIDE_LARGEST, np.float32)
    kernel = np.ones_like(inputs)
    # The largest have both signs, and are multiplied by nothing: what is left is the sum of the small ones.
    inputs[:, ::2], inputs[:, 1::32], kernel[::2], kernel[1::32] = _LARGEST, -_LARGEST, 0, 0
    exact = inputs @ kernel
    return bool((_product(precision, kernel)(inputs) < exact / 2).all())


def _loses_last_digits(precision: str) -> bool:
    """Return whether inputs are rounded to bfloat16."""
    inputs = np.full((_PROBE_SIZE, _PROBE_SIZE), _ROUNDED_TO_ONE)
    found = _product(precision, np.ones_like(inputs))(inputs)
    return bool((found == _PROBE_SIZE).all())


def large_product(precision: str) -> tuple[Callable[[], object], int]:
    """Return what multiplies large square matrices as a graph of this `precision` does, and how wide they are."""
    matrix = np.random.default_rng(1).standard_normal((_LARGE_SIZE, _LARGE_SIZE), np.float32)
    multiply = _product(precision, matrix)
    return lambda: multiply(matrix), _LARGE_SIZE


def _product(precision: str, kernel: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the product of square matrices with this kernel, compiled as a graph of this precision is."""
    import openvino
    from openvino import opset13 as ops

    parameter = ops.parameter(list(kernel.shape), openvino.Type.f32)
    if in_int8(precision):
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
