"""A model folder as an ONNX file: what `nqperf convert MODEL OUT.onnx` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.onnx.graph import Int8
from nqperf.model.onnx.network import onnx_graph
from nqperf.perf.export.int8_search import Int8Search, search_wide

# As many positions as the longest input has; a search over longer ones answers the same questions.
_POSITIONS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written from the model folder `source` to the file `out`: so many `nodes` and `tensors`.

    `bytes` is the size of all values; `search` says how the products in 8 bits were chosen, None where there are none
    that were searched for.
    """

    source: Path
    out: Path
    nodes: int
    tensors: int
    bytes: int
    search: Int8Search | None = None


def export_onnx(source: Path, out: Path, *, int8: bool = False) -> ExportReport:
    """Write the network and weights of the model folder `source` as the ONNX file `out`, whole or not at all.

    With `int8` its products are in 8 bits, but for those that `search_wide` says must not be; the file's metadata names
    them. Weights have 7 bits, so that the file's products overflow on no CPU.

    Raises: MissingExtraError without the package onnx, or ONNX Runtime for `int8`; FormatError when `source` is no
    model folder or `out` cannot be written.
    """
    folder = open_model(source)
    search, chosen = None, None
    if int8:
        positions = min(_POSITIONS, folder.config.positions)
        search = search_wide(folder, max_seq_length=positions)
        chosen = Int8(wide=frozenset(search.wide), reduced_range=search.reduced_range)
    graph = onnx_graph(folder.config, folder.read_weights(), chosen)
    write_onnx(out, graph.proto, graph.values)
    return ExportReport(
        source=source,
        out=out,
        nodes=len(graph.proto.graph.node),
        tensors=len(graph.values),
        bytes=sum(values.nbytes for values in graph.values.values()),
        search=search,
    )
