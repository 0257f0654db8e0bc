"""A SavedModel as it is sealed: its ops without layers, lines or Python, read from the graphs it holds."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nqperf.casts.trace.records import FLOATS, HALVES, Constant, OpRecord, Trace
from nqperf.errors import ConfigError
from nqperf.formats.decoding import decoding
from nqperf.formats.reading import read_whole

_ENTRY, _START_UP, _SERVING = "serving_default", "__saved_model_init_op", "serve"
_FILE, _EXPECTED = "saved_model.pb", "a SavedModel, as TensorFlow writes it"
# Weights stand in files beside it; with them inside, protocol buffers end at 2 GB.
_LARGEST = 1 << 29


def sealed_trace(path: Path) -> Trace:
    """Return every op of the functions of the SavedModel in `path` as a trace, one call op standing for the whole.

    Its file is read as data: to load it as a model would run the ops by which it starts, and these may write files.

    Raises: FormatError when it is damaged or too large, ConfigError when it has no signature.
    """
    graph, outputs = _signature(path)
    ops: list[OpRecord] = []
    with decoding(path / _FILE, expected=_EXPECTED):
        functions = _called(graph, outputs)
        for function in functions:
            _add(ops, function.node_def, function.signature.name)
        if not functions:  # of TensorFlow 1, which has its ops in the graph itself
            _add(ops, graph.node, "")
    inside = tuple(f"{op.op_type} {op.out_dtype}".strip() for op in ops)
    ops.append(_call(len(ops), path.name))
    halves = [op.out_dtype for op in ops if op.out_dtype in HALVES and op.op_type not in ("Cast", "Const")]
    return Trace(
        ops=tuple(ops),
        events=(),
        model_dtype=halves[0] if halves else "float32",
        functions={path.name: inside},
    )


def _signature(path: Path) -> tuple[Any, set[str]]:
    """Return the graph of a SavedModel that serves, and the names of the nodes that its first signature gives out.

    Raises: FormatError when it cannot be read, ConfigError without a signature.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = path / _FILE
    content = read_whole(file, what="a SavedModel", limit=_LARGEST)
    with decoding(file, expected=_EXPECTED):
        saved = SavedModel.FromString(content)
    graphs = sorted(saved.meta_graphs, key=lambda graph: _SERVING not in graph.meta_info_def.tags)
    signatures = dict(graphs[0].signature_def) if graphs else {}
    signatures.pop(_START_UP, None)
    if not signatures:
        raise ConfigError(f"{path} has no signatures: export it with one")
    signature = signatures.get(_ENTRY) or next(iter(signatures.values()))
    return graphs[0].graph_def, {output.name.partition(":")[0] for output in signature.outputs.values()}


def _called(graph: Any, outputs: set[str]) -> list[Any]:
    """Return the functions of a graph's library that the nodes `outputs` reach, in the order of the library."""
    library = {function.signature.name: function for function in graph.library.function}
    nodes = {node.name: node for node in graph.node}
    waiting, seen = [nodes[name] for name in outputs if name in nodes], set(outputs)
    reached: set[str] = set()
    while waiting:
        node = waiting.pop()
        for name in (one.lstrip("^").partition(":")[0] for one in node.input):
            if name in nodes and name not in seen:
                seen.add(name)
                waiting.append(nodes[name])
        for value in node.attr.values():
            for called in (value.func.name, *(each.name for each in value.list.func)):
                if called in library and called not in reached:
                    reached.add(called)
                    # Inside of a function all nodes are its own: none of the graph's has to be looked for.
                    waiting += [_alone(each) for each in library[called].node_def]
    return [function for name, function in library.items() if name in reached]


def _alone(node: Any) -> Any:
    """Return a node without its inputs."""
    copy = type(node)(name=node.name, op=node.op)
    for name, value in node.attr.items():
        if value.HasField("func") or value.list.func:
            copy.attr[name].CopyFrom(value)
    return copy


def _call(index: int, name: str) -> OpRecord:
    return OpRecord(
        index=index,
        name=name,
        op_type="PartitionedCall",
        graph="",
        layer="",
        compute_dtype="float32",
        location=None,
        in_dtypes=(),
        out_dtypes=(),
        producers=(),
        function=name,
    )


def _add(ops: list[OpRecord], nodes: Any, graph: str) -> None:
    """Append the records of one function; its inputs come from outside and have no op."""
    known = {node.name: len(ops) + number for number, node in enumerate(nodes)}
    for node in nodes:
        inputs = [name.split(":")[0] for name in node.input if not name.startswith("^")]
        source, destination = _dtypes(node)
        ops.append(
            OpRecord(
                index=len(ops),
                name=node.name,
                op_type=node.op,
                graph=graph,
                layer=node.name.rpartition("/")[0],
                compute_dtype=destination if destination in FLOATS else "float32",
                location=None,
                in_dtypes=(source,) * max(len(inputs), 1) if source else (),
                out_dtypes=(destination,) if destination else (),
                producers=tuple(known.get(name, -1) for name in inputs) or (-1,),
                kind="explicit" if node.op == "Cast" else "",
                constant=_constant(node),
            )
        )


def _dtypes(node: Any) -> tuple[str, str]:
    import tensorflow as tf

    def named(*attributes: str) -> str:
        found = next((node.attr[name].type for name in attributes if node.attr[name].type), 0)
        return str(tf.as_dtype(found).name) if found else ""

    return named("SrcT", "T", "dtype"), named("DstT", "T", "dtype", "Tparams")


def _constant(node: Any) -> Constant | None:
    if node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    size = prod(dimension.size for dimension in tensor.tensor_shape.dim)
    values = _stored(tensor)
    if size < 1 or values.size == 0 or not (values.dtype.kind in "iuf" or values.dtype.name == "bfloat16"):
        return None
    wide = values.astype(np.float64)
    return Constant(low=float(wide.min()), high=float(wide.max()), size=size, infinite=bool(np.isinf(wide).any()))


def _stored(tensor: Any) -> Any:
    """Return the values that stand in a tensor: of one that repeats its last value, that value once."""
    import tensorflow as tf

    fields = [value for field, value in tensor.ListFields() if field.name.endswith("_val")]
    if tensor.tensor_content or not fields:
        return tf.make_ndarray(tensor) if tensor.tensor_content else np.zeros(1)
    once = type(tensor)()
    once.CopyFrom(tensor)
    del once.tensor_shape.dim[:]
    once.tensor_shape.dim.add(size=len(fields[0]))
    return tf.make_ndarray(once)
