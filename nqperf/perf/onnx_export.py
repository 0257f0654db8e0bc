"""A model folder as an ONNX file: what `nqperf convert MODEL OUT.onnx` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nqperf.formats.weights.model_folder import read_model_folder, read_weights
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.onnx.network import onnx_graph

SUFFIX = ".onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written. Units: `bytes` of all values."""

    source: Path
    out: Path
    nodes: int
    tensors: int
    bytes: int


def export_onnx(source: Path, out: Path) -> ExportReport:
    """Write the network and weights of the model folder `source` as the ONNX file `out`, whole or not at all.

    Raises: MissingExtraError without the package onnx; FormatError when `source` is no model folder or `out` cannot be
    written.
    """
    folder = read_model_folder(source)
    graph = onnx_graph(folder.config, read_weights(folder))
    write_onnx(out, graph.proto, graph.values)
    return ExportReport(
        source=source,
        out=out,
        nodes=len(graph.proto.graph.node),
        tensors=len(graph.values),
        bytes=sum(values.nbytes for values in graph.values.values()),
    )
