"""ONNX files: written tensor by tensor, so that the weights are never held twice.

A file of protocol buffers ends at 2 GB; a larger model has its values in a second file beside it, OUT.onnx.data.
Source: onnx.proto (ONNX 1.15): ModelProto.graph, GraphProto.initializer, TensorProto.raw_data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nqperf.formats.files import whole_file
from nqperf.formats.varint import varint

# Protocol buffers measure a message in 31 bits.
LARGEST_FILE = (1 << 31) - 1
DATA_SUFFIX = ".data"
# Values begin at a page, so that they can be mapped.
_PAGE_BYTES = 4096
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9


def write_onnx(path: Path, proto: Any, values: Mapping[str, np.ndarray], *, largest: int = LARGEST_FILE) -> None:
    """Write a model to `path`, whole or not at all; `proto` describes each initializer, `values` has what is in them.

    A model of more than `largest` bytes comes in two files, and the one that is named last: it is there when the other
    is.

    Raises: FormatError when the place cannot be written.
    """
    path = Path(path)
    data = path.with_name(path.name + DATA_SUFFIX)
    front, tensors = _pieces(proto, values)
    if len(front) + sum(len(head) + values[name].nbytes for name, head in tensors) <= largest:
        with whole_file(path) as partial, partial.open("wb") as file:
            file.write(front)
            for name, head in tensors:
                file.write(head)
                _write_values(file, values[name])
        return
    with whole_file(path) as partial, whole_file(data) as partial_data:
        with partial_data.open("wb") as file:
            places = {}
            for name, _ in tensors:
                file.write(bytes(-file.tell() % _PAGE_BYTES))
                places[name] = file.tell()
                _write_values(file, values[name])
        partial.write_bytes(_placed(proto, values, places, data.name).SerializeToString())


def _pieces(proto: Any, values: Mapping[str, np.ndarray]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return all that stands before the first value, and for each tensor all that stands before its values."""
    bare = type(proto)()
    bare.CopyFrom(proto)
    del bare.graph.initializer[:]
    bare.graph.initializer.extend(one for one in proto.graph.initializer if one.name not in values)
    graph = bare.graph.SerializeToString()
    bare.ClearField("graph")
    tensors = []
    for tensor in _without_values(proto, values):
        embedded = type(tensor)(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        size = values[tensor.name].nbytes
        head = embedded.SerializeToString() + _opened(_RAW_DATA, size)
        tensors.append((tensor.name, _opened(_INITIALIZER, len(head) + size) + head))
    size = len(graph) + sum(len(head) + values[name].nbytes for name, head in tensors)
    return bare.SerializeToString() + _opened(_GRAPH, size) + graph, tensors


def _placed(proto: Any, values: Mapping[str, np.ndarray], places: Mapping[str, int], location: str) -> Any:
    """Return the model with the place of each tensor's values in the file `location`."""
    placed = type(proto)()
    placed.CopyFrom(proto)
    for tensor in _without_values(placed, values):
        del tensor.external_data[:]
        entries = {"location": location, "offset": places[tensor.name], "length": values[tensor.name].nbytes}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
    return placed


def _without_values(proto: Any, values: Mapping[str, np.ndarray]) -> list[Any]:
    return [tensor for tensor in proto.graph.initializer if tensor.name in values]


def _opened(field: int, size: int) -> bytes:
    """Return how a field of `size` bytes begins: its number, that it has a length, and that length."""
    return varint(field << 3 | 2) + varint(size)


def _write_values(file: BinaryIO, values: np.ndarray) -> None:
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    file.write(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)
