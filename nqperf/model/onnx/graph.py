"""An ONNX graph under construction: nodes, the values that they read, and products in float32 or in 8 bits.

The values stand beside the graph and not in it, so that a file can be written without holding all of it once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from nqperf.nq.example import FloatArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS

# The first opset with Gelu, and the format's version that came with it.
_OPSET, _IR_VERSION = 20, 9
# ONNX Runtime's own operators.
_FUSED_DOMAIN = "com.microsoft"
# CPUs without units for products in 8 bits sum pairs in 16 bits, which 7 bits in one of the two cannot overflow.
_FULL_RANGE, _REDUCED_RANGE = 127, 63
_PAIR_SIZE = 64
# Inputs are uint8. Where they have both signs zero is in the middle; where they are never less than `lowest`, so low
# that this is still there. The least step keeps a row of zeros from being divided by nothing.
_LARGEST_INPUT, _MIDDLE, _LOW_ZERO = 255, 128, 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """Which products multiply in 8 bits: all with a kernel, but for the modules named in `wide`.

    Weights are rounded to 8 bits for each output on its own, inputs for each position, when it runs: what else is in a
    batch changes nothing. `reduced_range` keeps weights to 7 bits, which CPUs without 8-bit units need.
    """

    wide: frozenset[str] = frozenset()
    reduced_range: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnnxGraph:
    """A model without its values, `proto`, and these, `values`, by their names.

    `int8` names the modules whose products are in 8 bits.
    """

    proto: Any
    values: Mapping[str, np.ndarray]
    int8: tuple[str, ...] = ()


class GraphBuilder:
    """Adds nodes in order; every method returns the name of what it computes.

    `int8` says which products are in 8 bits, None: none. With `fused`, nodes may be operators of ONNX Runtime's own,
    which other runtimes need not know.
    """

    def __init__(self, int8: Int8 | None = None, *, fused: bool = False) -> None:
        self._int8 = int8
        self.fused = fused
        self._narrow: list[str] = []
        self._nodes: list[Any] = []
        self._names: Counter[str] = Counter()
        self._constants: dict[str, Any] = {}
        self._values: dict[str, np.ndarray] = {}
        self._rounded: dict[str, tuple[str, str, str]] = {}
        self._halves: set[str] = set()
        self._typed: dict[str, str] = {}

    def node(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node of the operator `op` with one output; `inputs` are names, `attributes` the operator's.

        Without a `name`, the node is named by its operator.
        """
        return self.nodes(op, inputs, ("",), name=name, **attributes)[0]

    def nodes(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], *, name: str | None = None, **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node whose outputs end in `outputs`; `op`, `inputs`, `name` and `attributes` are as in `node`."""
        from onnx import helper

        name = name or op
        self._names[name] += 1
        if self._names[name] > 1:  # blocks that run twice, and nodes that nobody names
            name = f"{name}.{self._names[name]}"
        found = tuple(f"{name}{output}" for output in outputs)
        self._nodes.append(helper.make_node(op, list(inputs), list(found), name=name, **attributes))
        return found

    def fused_node(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node of ONNX Runtime's own; `op`, `inputs`, `name` and `attributes` are as in `node`."""
        return self.node(op, *inputs, name=name, domain=_FUSED_DOMAIN, **attributes)

    @property
    def values(self) -> Mapping[str, np.ndarray]:
        """The tensors of the weights, by name."""
        return MappingProxyType(self._values)

    def value(self, name: str, values: np.ndarray) -> str:
        """Add a tensor of the weights, the `values` of `name`."""
        self._values[name] = values
        return name

    def constant(self, values: Any, dtype: str = "int64") -> str:
        """Add small `values` of type `dtype`, which stand in the graph itself; equal ones are kept once."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype)
        name = f"constant.{dtype}.{array.tolist()}".replace(" ", "")
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def product(self, module: str, inputs: str, kernel: npt.NDArray[Any], *, lowest: float | None = None) -> str:
        """Multiply `inputs` by `kernel`, that of `module`, [..., in] -> [..., out], in 8 bits where `Int8` says so.

        No input is less than `lowest`, where that is known: 8 bits then tell more values apart.
        """
        if self._int8 is None or module in self._int8.wide:
            return self.node("MatMul", inputs, self.value(f"{module}.kernel", kernel), name=f"{module}.product")
        weight, weight_scales = (f"{module}.kernel.{part}" for part in ("rounded", "scales"))
        if weight not in self._values:  # a block that runs twice has its kernel once
            self._narrow.append(module)
            rounded, scales = rounded_kernel(kernel, reduced_range=self._int8.reduced_range)
            self._values |= {weight: rounded, weight_scales: scales}
        if inputs not in self._rounded:  # query, key and value read the same
            self._rounded[inputs] = self._round(inputs, lowest)
        narrow, steps, zero = self._rounded[inputs]
        name = f"{module}.product"
        if self.fused:
            one = self.constant(1, "float32")
            scaled = self.fused_node("MatMulIntegerToFloat", narrow, weight, one, weight_scales, zero, name=name)
        else:
            weight_zeros = self.value(f"{module}.kernel.zeros", np.zeros(kernel.shape[1], np.int8))
            sums = self.node("MatMulInteger", narrow, weight, zero, weight_zeros, name=name)
            scaled = self.node("Mul", self.cast(sums, "float32"), weight_scales)
        return self.node("Mul", scaled, steps)

    def _round(self, inputs: str, lowest: float | None) -> tuple[str, str, str]:
        """Return the inputs in 8 bits, the step between two values in each row, [..., 1], and what zero has become."""
        zero = _MIDDLE if lowest is None else _LOW_ZERO
        least = float(np.finfo(np.float32).tiny) if lowest is None else -lowest / zero
        sizes = self.node("Abs", inputs) if lowest is None else inputs
        largest = self.node("ReduceMax", sizes, self.constant([-1]), keepdims=1)
        steps = self.node("Mul", largest, self.constant(1 / (_LARGEST_INPUT - zero), "float32"))
        steps = self.node("Max", steps, self.constant(least, "float32"))
        zero_point = self.constant(zero, "uint8")
        counted = self.node("Div", inputs, steps)
        narrow = self.node("QuantizeLinear", counted, self.constant(1, "float32"), zero_point)
        return narrow, steps, zero_point

    def cast(self, inputs: str, dtype: str) -> str:
        """Return the values of `inputs` in the type `dtype`."""
        return self.node("Cast", inputs, to=_type(dtype))

    def half(self, name: str) -> str:
        """Note that the values of `name` are in float16, and return the name."""
        self._halves.add(name)
        return name

    def typed(self, inputs: str, *, half: bool) -> str:
        """Return the values of `inputs` in float16 where `half`, else in float32: cast, once, if in the other."""
        if (inputs in self._halves) == half:
            return inputs
        if inputs not in self._typed:
            self._typed[inputs] = self.cast(inputs, "float16" if half else "float32")
            if half:
                self._halves.add(self._typed[inputs])
        return self._typed[inputs]

    def finished(self, shapes: Mapping[str, Sequence[str | int]], *, about: Mapping[str, str]) -> OnnxGraph:
        """Return the graph with MODEL_INPUTS and MODEL_OUTPUTS of these `shapes`, once `onnx.checker` has seen it.

        `about` stands in the file's metadata.
        """
        from onnx import checker, helper

        inputs, outputs = dict.fromkeys(MODEL_INPUTS, "int32"), dict.fromkeys(MODEL_OUTPUTS, "float32")
        proto = self.model(inputs, outputs, shapes)
        helper.set_model_props(proto, dict(about))
        checker.check_model(_with_values_as_inputs(proto), full_check=True)
        return OnnxGraph(proto=proto, values=self.values, int8=tuple(self._narrow))

    def model(
        self, inputs: Mapping[str, str], outputs: Mapping[str, str], shapes: Mapping[str, Sequence[str | int]]
    ) -> Any:
        """Return the nodes as a model: `inputs` and `outputs` are its types by name, `shapes` those of both."""
        from onnx import helper

        graph = helper.make_graph(
            self._nodes,
            "nqperf",
            [_described(name, dtype, shapes) for name, dtype in inputs.items()],
            [_described(name, dtype, shapes) for name, dtype in outputs.items()],
            initializer=[
                *self._constants.values(),
                *(_without_values(name, values) for name, values in self._values.items()),
            ],
        )
        opsets = [helper.make_opsetid("", _OPSET), *([helper.make_opsetid(_FUSED_DOMAIN, 1)] if self.fused else [])]
        return helper.make_model(graph, producer_name="nqperf", ir_version=_IR_VERSION, opset_imports=opsets)


def rounded_kernel(kernel: FloatArray, *, reduced_range: bool) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Return `kernel` in 8 bits and what each output is scaled by: int8[in, out], float32[out].

    With a `reduced_range` values are in 7 bits, so that sums of two products fit into 16.
    """
    largest = np.float32(_REDUCED_RANGE if reduced_range else _FULL_RANGE)
    scales = np.maximum(np.abs(kernel).max(axis=0) / largest, np.finfo(np.float32).tiny)
    return np.rint(kernel / scales).astype(np.int8), scales


def _type(dtype: Any) -> int:
    from onnx import helper

    found: int = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return found


def _described(name: str, dtype: str, shapes: Mapping[str, Sequence[str | int]]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _type(dtype), shapes[name])


def _without_values(name: str, values: np.ndarray) -> Any:
    """Return what the graph says of a tensor: all but its values, which it is told to look for elsewhere."""
    from onnx import TensorProto

    return TensorProto(name=name, data_type=_type(values.dtype), dims=values.shape, data_location=TensorProto.EXTERNAL)


def _with_values_as_inputs(proto: Any) -> Any:
    """Return a model that the checker can see before its values are anywhere: they come in with the inputs."""
    from onnx import helper

    inputs = type(proto)()
    inputs.CopyFrom(proto)
    graph = inputs.graph
    constants = [one for one in graph.initializer if one.HasField("raw_data")]
    rest = [one for one in graph.initializer if not one.HasField("raw_data")]
    graph.input.extend(helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in rest)
    del graph.initializer[:]
    graph.initializer.extend(constants)
    return inputs


def pair_product() -> tuple[Any, dict[str, np.ndarray]]:
    """Return a model of one product in 8 bits, and the inputs that overflow it where pairs are summed in 16 bits."""
    shape = (_PAIR_SIZE, _PAIR_SIZE)
    inputs = {"left": np.full(shape, 255, np.uint8), "right": np.full(shape, _FULL_RANGE, np.int8)}
    return _product_of(inputs, "MatMulInteger", "int32"), inputs


def float_product() -> tuple[Any, dict[str, np.ndarray]]:
    """Return a model of one product in float32, and its inputs."""
    ones = np.ones((_PAIR_SIZE, _PAIR_SIZE), np.float32)
    inputs = {"left": ones, "right": ones}
    return _product_of(inputs, "MatMul", "float32"), inputs


def large_product(size: int, dtype: str) -> OnnxGraph:
    """Return a graph of one product of matrices [size, size] of type `dtype` that rest in it.

    Its input `scale`, float32[1], keeps it from being computed beforehand; all that comes out is the largest sum. In
    int8 the inputs are rounded as the network's are.
    """
    matrix = np.random.default_rng(1).standard_normal((size, size), np.float32)
    build = GraphBuilder(Int8() if dtype == "int8" else None, fused=dtype == "int8")
    half = dtype == "float16"
    kernel: npt.NDArray[Any] = matrix.astype(np.float16) if half else matrix
    left = build.node("Mul", build.value("left", kernel), build.cast("scale", "float16") if half else "scale")
    sums = build.cast(build.product("large", left, kernel), "float32")
    largest = build.node("ReduceMax", sums, keepdims=0, name="largest")  # rounding to 8 bits has a node of this kind
    proto = build.model({"scale": "float32"}, {largest: "float32"}, {"scale": (1,), largest: ()})
    return OnnxGraph(proto=proto, values=build.values)


def _product_of(inputs: Mapping[str, np.ndarray], op: str, dtype: str) -> Any:
    """Return a model of one product of two square inputs, whose output is of the type `dtype`."""
    from onnx import helper

    described = dict.fromkeys((*inputs, "sums"), next(iter(inputs.values())).shape)
    graph = helper.make_graph(
        [helper.make_node(op, list(inputs), ["sums"])],
        "pair",
        [_described(name, str(values.dtype), described) for name, values in inputs.items()],
        [_described("sums", dtype, described)],
    )
    return helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)])
