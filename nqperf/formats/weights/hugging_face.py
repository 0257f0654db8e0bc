"""Hugging Face folders of every family: their tensor names, with and without the prefix, old and new."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from nqperf.errors import FormatError
from nqperf.formats.weights.safetensors_file import SafetensorsFile
from nqperf.model.config import BertConfig
from nqperf.model.tensors import LAYOUTS, Layout
from nqperf.model.weights import check_shapes, expected_shapes, initial_weights
from nqperf.nq.example import FloatArray

# Constants that some versions saved beside the weights: 0, 1, 2, ..., and GPT-2's causal mask.
_CONSTANTS = re.compile(r"(^|\.)position_ids$|\.attn\.(masked_)?bias$")


def canonical_name(name: str, layout: Layout) -> str:
    """Return our name of Hugging Face's tensor `name`."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    # The head of every family's question answering is the span head: start and end logits, in this order.
    name = re.sub(r"^qa_outputs\.", "span.", name)
    modules = (*layout.before.values(), layout.block_prefix, *layout.after.values())
    without_prefix = {module.partition(".")[0] for module in modules}
    return f"{layout.prefix}{name}" if name.partition(".")[0] in without_prefix else name


def check_family(names: Collection[str], config: BertConfig, *, path: object) -> None:
    """Raise when the tensors `names` at `path` are of another family than the configuration's.

    Raises: FormatError with both families.
    """
    alike = [family for family, layout in LAYOUTS.items() if _has_attention(names, layout)]
    prefixed = [family for family in alike if any(name.startswith(LAYOUTS[family].prefix) for name in names)]
    found = prefixed or alike
    if found and config.model_type not in found:
        direction = ", a causal network" if config.causal else ""
        raise FormatError(
            f"holds the tensors of {' or '.join(found)}, and the configuration is of {config.model_type}{direction}: "
            "put the configuration and the weights of one model there",
            path=path,
        )


def _has_attention(names: Iterable[str], layout: Layout) -> bool:
    parts = tuple(f".{name}.weight" for part, name in layout.block.items() if part.startswith("attention.query"))
    return any(f".{name}".endswith(parts) for name in names)


def read_hugging_face(
    path: Path, config: BertConfig, *, seed: int
) -> tuple[dict[str, FloatArray], tuple[str, ...], tuple[str, ...]]:
    """Return the network's tensors in the safetensors file `path`, the names of unused heads, and those of new tensors.

    What a network that was trained for something else lacks is made anew: the pooler, the span head and the answer-type
    head, each whole or not at all.

    Raises: FormatError when the file is damaged or of another family, and with every unknown, missing or misshapen
    tensor.
    """
    file = SafetensorsFile(path)
    header = file.header
    layout = LAYOUTS[config.model_type]
    check_family(header, config, path=path)
    unused = tuple(sorted(name for name in header if name.startswith(layout.unused)))
    source_of: dict[str, str] = {}
    for name in header:
        if name in unused or _CONSTANTS.search(name):
            continue
        if (other := source_of.setdefault(canonical_name(name, layout), name)) != name:
            raise FormatError(
                f"is there twice, as {other} too; expected one: make the file again", path=path, field=name
            )
    expected = expected_shapes(config)
    present = {tensor.rpartition(".")[0] for tensor in source_of}
    pooler = layout.prefix + layout.after["pooler"] if config.has_pooler else ""
    new = tuple(
        tensor
        for tensor in expected
        if (module := tensor.rpartition(".")[0]) in (pooler, "span", "answer_type") and module not in present
    )
    check_shapes(
        {tensor: header[name].shape for tensor, name in source_of.items()},
        {tensor: shape for tensor, shape in expected.items() if tensor not in new},
        path=path,
    )
    return file.float32(source_of) | initial_weights(config, seed=seed, names=new), unused, new
