"""Hugging Face BERT folders: their tensor names, with and without `bert.`, old and new."""

from __future__ import annotations

import re
from pathlib import Path

from nqperf.errors import FormatError
from nqperf.formats.weights.safetensors_file import read_float32, read_header
from nqperf.model.config import BertConfig
from nqperf.model.weights import check_shapes, expected_shapes, initial_weights
from nqperf.nq.example import FloatArray

# What a BERT that was trained for something else lacks: made anew, together or not at all.
_OPTIONAL_MODULES = ("bert.pooler.dense", "span", "answer_type")


def canonical_name(name: str) -> str:
    """Return our name of Hugging Face's tensor `name`."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    # The head of BertForQuestionAnswering is the span head: start and end logits, in this order.
    name = re.sub(r"^qa_outputs\.", "span.", name)
    return f"bert.{name}" if name.startswith(("embeddings.", "encoder.", "pooler.")) else name


def read_hugging_face(
    path: Path, config: BertConfig, *, seed: int
) -> tuple[dict[str, FloatArray], tuple[str, ...], tuple[str, ...]]:
    """Return the network's tensors in the safetensors file `path`, the names of unused heads, and those of new tensors.

    Raises: FormatError when the file is damaged, and with every unknown, missing or misshapen tensor.
    """
    header = read_header(path)
    unused = tuple(sorted(name for name in header if name.startswith("cls.")))
    source_of: dict[str, str] = {}
    for name in header:
        if name in unused or name.endswith("position_ids"):  # position_ids: a constant, 0, 1, 2, ...
            continue
        if (other := source_of.setdefault(canonical_name(name), name)) != name:
            raise FormatError(
                f"is there twice, as {other} too; expected one: make the file again", path=path, field=name
            )
    expected = expected_shapes(config)
    present = {tensor.rpartition(".")[0] for tensor in source_of}
    new = tuple(
        tensor
        for tensor in expected
        if (module := tensor.rpartition(".")[0]) in _OPTIONAL_MODULES and module not in present
    )
    check_shapes(
        {tensor: header[name].shape for tensor, name in source_of.items()},
        {tensor: shape for tensor, shape in expected.items() if tensor not in new},
        path=path,
    )
    stored = read_float32(path, {tensor: header[name] for tensor, name in source_of.items()})
    return stored | initial_weights(config, seed=seed, names=new), unused, new
