"""A SavedModel as it is sealed: its ops without layers, lines or Python, read from the graphs it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nqperf.casts.trace.records import FLOATS, HALVES, Constant, OpRecord, Trace
from nqperf.errors import ConfigError
from nqperf.formats.decoding import decoding

_ENTRY = "serving_default"


def sealed_trace(path: Path) -> Trace:
    """Return every op of the functions of the SavedModel in `path` as a trace, one call op standing for the whole.

    Raises: FormatError when TensorFlow cannot load it, ConfigError when it has no signature.
    """
    import tensorflow as tf

    with decoding(path, expected="a SavedModel that this TensorFlow can load"):
        loaded = tf.saved_model.load(str(path))
    signatures = dict(getattr(loaded, "signatures", {}))
    if not signatures:
        raise ConfigError(f"{path} has no signatures: export it with one")
    concrete = signatures.get(_ENTRY) or next(iter(signatures.values()))
    ops: list[OpRecord] = []
    for function in concrete.graph.as_graph_def().library.function:
        _add(ops, function.node_def, function.signature.name)
    inside = tuple(f"{op.op_type} {op.out_dtype}".strip() for op in ops)
    ops.append(_call(len(ops), path.name))
    halves = [op.out_dtype for op in ops if op.out_dtype in HALVES and op.op_type not in ("Cast", "Const")]
    return Trace(
        ops=tuple(ops),
        events=(),
        model_dtype=halves[0] if halves else "float32",
        functions={path.name: inside},
    )


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
    import tensorflow as tf

    if node.op != "Const":
        return None
    values = tf.make_ndarray(node.attr["value"].tensor)
    if values.size == 0 or not (np.issubdtype(values.dtype, np.number) or values.dtype.name == "bfloat16"):
        return None
    wide = np.asarray(values).astype(np.float64)
    return Constant(
        low=float(wide.min()), high=float(wide.max()), size=int(wide.size), infinite=bool(np.isinf(wide).any())
    )
