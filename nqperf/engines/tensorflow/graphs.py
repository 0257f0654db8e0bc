"""What TensorFlow really ran, read from its graphs: as traced, and as executed after Grappler, oneDNN and XLA."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MATMUL = re.compile(r"_?(Mkl)?(Native)?(Fused)?(Batch)?MatMul(V\d)?")
# Where the time of models of others goes: convolutions and sums of products beside matrix products.
_PRODUCT = re.compile(rf"{MATMUL.pattern}|_?(Mkl)?(Native)?(Fused)?(Conv[23]D|DepthwiseConv2[dD](Native)?|Einsum)")
_DEVICE = re.compile(r"device:(\w+):\d+$", re.IGNORECASE)
_WIDE_DOT = re.compile(r"= f32\[[^=]* dot\(f32\[")
_HIGHEST = "operand_precision={highest"
_NARROW_DOT = re.compile(r"= (bf16|f16)\[[^=]* (dot|convolution)\(")
_DOT = re.compile(r" (dot|convolution)\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCounts:
    """What is in the graphs of a run.

    `devices` are the kinds of device that products were executed on. `clusters` is how many parts of it XLA compiled,
    and `clustered_products` how many of the products are in them; `rewritten_nodes` are those that Grappler took out or
    put in, `onednn_ops` oneDNN's kernels, `amp_nodes` what auto mixed precision put in. `products` holds for each
    matrix product whether it is in 16 bits.
    """

    devices: frozenset[str]
    clusters: int
    clustered_products: int
    rewritten_nodes: int
    onednn_ops: int
    amp_nodes: int
    products: list[bool]


def graphs_of(first_run: Callable[[], object]) -> Any:
    """Call `first_run`, which makes a function's first run, and return TensorFlow's record of the graphs of it.

    Executable graphs are recorded when they are made, at the first run and never again.
    """
    # Not by `tf.summary.trace_off`: the graphs of the whole process are recorded on behind it, and shown at the next
    # trace (TensorFlow 2.20 and 2.21).
    import tensorflow as tf
    from tensorflow.python.eager.context import context

    runtime = context()
    runtime.enable_graph_collection()
    try:
        # What is left of a function whose first run failed is recorded with the next one's, and so is dropped here.
        tf.compat.v1.wrap_function(lambda: tf.constant(0), [])()
        runtime.export_run_metadata()
        first_run()
        return runtime.export_run_metadata()
    finally:
        runtime.disable_graph_collection()


def executed_nodes(graphs: Any) -> list[Any]:
    """Return all nodes that were executed in the `graphs` that `graphs_of` found; none where they are None."""
    functions = graphs.function_graphs if graphs is not None else ()
    return [node for function in functions for part in function.partition_graphs for node in part.node]


def computing_nodes(graphs: Any) -> list[Any]:
    """Return the nodes of those functions in `graphs` that multiply matrices, of all where none does.

    What else ran meanwhile, such as the reading of a data set, is no part of the work.
    """
    functions = graphs.function_graphs if graphs is not None else ()
    executed = [[node for part in function.partition_graphs for node in part.node] for function in functions]
    computing = [nodes for nodes in executed if any(MATMUL.fullmatch(node.op) for node in nodes)]
    return [node for nodes in computing or executed for node in nodes]


def count_nodes(graphs: Any) -> GraphCounts:
    """Return what is in the `graphs` that `graphs_of` found; nothing where they are None."""
    functions = graphs.function_graphs if graphs is not None else ()
    executed = executed_nodes(graphs)
    traced = [node for function in functions for node in function.pre_optimization_graph.node]
    clusters = sum(node.op == "_XlaRun" for node in executed)
    computing = [node for node in executed if node.op == "_XlaRun" or _PRODUCT.fullmatch(node.op)]
    # What went into clusters is no longer seen one by one.
    products = list(_products(traced if clusters else executed))
    return GraphCounts(
        devices=frozenset(filter(None, (device_kind(node.device) for node in computing))),
        clusters=clusters,
        clustered_products=len(products) - sum(node.op != "_XlaRun" for node in computing) if clusters else 0,
        rewritten_nodes=sum(_rewritten_nodes(function) for function in functions),
        onednn_ops=sum(node.op.startswith("_Mkl") for node in executed),
        amp_nodes=sum("AutoMixedPrecision" in node.name for node in executed),
        products=products,
    )


def device_kind(name: str) -> str | None:
    """Return "cpu", "gpu" or the like of `name`, TensorFlow's of a device; None for another text.

    >>> device_kind("/job:localhost/replica:0/task:0/device:GPU:0")
    'gpu'
    """
    found = _DEVICE.search(name)
    return found[1].lower() if found else None


def _rewritten_nodes(function: Any) -> int:
    """Return how many nodes stand on one side of Grappler only; which ones it fuses is another thing on every CPU."""
    before, after = (
        {node.name for node in graph.node}
        for graph in (function.pre_optimization_graph, function.post_optimization_graph)
    )
    return len(before ^ after) if after else 0


def compiled_products(hlo: str) -> list[bool]:
    """Return for each matrix product in `hlo`, the text of what XLA was given, whether it is in 16 bits."""
    return [bool(_NARROW_DOT.search(line)) for line in hlo.splitlines() if _DOT.search(line)]


def may_round(hlo: str) -> bool:
    """Return whether XLA was given a float32 product without being told to keep all of its digits.

    `hlo` is the text of what it was given. On Ampere and later GPUs it rounds the operands of such a product to TF32.
    """
    return any(_WIDE_DOT.search(line) and _HIGHEST not in line for line in hlo.splitlines())


def _products(nodes: Iterable[Any]) -> Iterator[bool]:
    """Yield for each matrix product among `nodes` whether it is in 16 bits."""
    from tensorflow import bfloat16, float16

    narrow = {bfloat16.as_datatype_enum, float16.as_datatype_enum}
    return (node.attr["T"].type in narrow for node in nodes if _PRODUCT.fullmatch(node.op))
