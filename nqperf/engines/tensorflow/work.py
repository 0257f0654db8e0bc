"""The work of a TensorFlow graph, counted: what was executed by kind, and what its products come to by their shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from nqperf.engines.tensorflow.graphs import MATMUL
from nqperf.records.work import CountedWork

# What moves or holds values and computes none: Grappler and the placer make more or fewer of them for nothing.
_BOOKKEEPING = frozenset(
    {
        *("Const", "_HostConst", "Identity", "IdentityN", "NoOp", "Placeholder", "ReadVariableOp", "StopGradient"),
        *("_Arg", "_Retval", "_DeviceArg", "_DeviceRetval", "_Send", "_Recv", "_HostSend", "_HostRecv", "VarHandleOp"),
        *("Shape", "Reshape", "ExpandDims", "Squeeze", "Pack", "StridedSlice", "EnsureShape"),
    }
)
_MATMUL, _BATCHED, _EINSUM = "MatMul", frozenset({"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}), "Einsum"
# A multiplication and an addition.
_PER_TERM = 2


def count_graph(graph: Any, executed: Iterable[Any], parameters: int) -> CountedWork:
    """Return the work of a traced `graph`, whose shapes are known, and of the nodes that were `executed` for it.

    Operations are counted in what was executed, after Grappler and oneDNN; in the traced graph where nothing tells, as
    where XLA has the whole of it. `parameters` is the number of the weights' values.
    """
    traced = graph.get_operations()
    kinds = Counter(node.op for node in executed) or Counter(operation.type for operation in traced)
    products = [flops for flops in map(_product_flops, traced) if flops]
    return CountedWork(
        operations={kind: count for kind, count in sorted(kinds.items()) if kind not in _BOOKKEEPING},
        products=len(products),
        product_flops=sum(products),
        casts=_casts(kinds),
        activation_bytes=sum(map(_output_bytes, traced)),
        parameters=parameters,
    )


def count_executed(executed: Sequence[Any]) -> CountedWork | None:
    """Return what is known of the nodes that were `executed` alone, whose sizes nothing tells; None where none was."""
    if not executed:
        return None
    kinds = Counter(node.op for node in executed)
    return CountedWork(
        operations={kind: count for kind, count in sorted(kinds.items()) if kind not in _BOOKKEEPING},
        products=sum(count for kind, count in kinds.items() if MATMUL.fullmatch(kind)),
        casts=_casts(kinds),
    )


def _casts(kinds: Counter[str]) -> int:
    return sum(count for kind, count in kinds.items() if kind in {"Cast", "_MklCast"})


def _product_flops(operation: Any) -> int:
    """Return the floating-point operations of a matrix product, 0 of all else; every size is known."""
    if operation.type == _EINSUM:
        return _einsum_flops(operation)
    if operation.type != _MATMUL and operation.type not in _BATCHED:
        return 0
    out, inputs = operation.outputs[0].shape.as_list(), operation.inputs[0].shape.as_list()
    transposed = operation.get_attr("transpose_a" if operation.type == _MATMUL else "adj_x")
    return _PER_TERM * int(prod(out)) * int(inputs[-2] if transposed else inputs[-1])


def _einsum_flops(operation: Any) -> int:
    """Return the operations of a product that is written as an equation of letters."""
    terms, _, _ = operation.get_attr("equation").decode().partition("->")
    sizes: dict[str, int] = {}
    names = terms.split(",")
    for letters, value in zip(names, operation.inputs, strict=True):
        if "..." in letters:
            return _PER_TERM * int(prod(operation.outputs[0].shape.as_list())) * int(value.shape.as_list()[-1])
        sizes |= dict(zip(letters, value.shape.as_list(), strict=True))
    return _PER_TERM * prod(sizes.values()) if len(names) > 1 else 0


def _output_bytes(operation: Any) -> int:
    """Return the size of what an operation hands on, 0 for what computes nothing."""
    if operation.type in _BOOKKEEPING:
        return 0
    return sum(
        int(prod(output.shape.as_list())) * int(output.dtype.size)
        for output in operation.outputs
        if output.shape.is_fully_defined()
    )
