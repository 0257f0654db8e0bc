"""Hugging Face's names of every family: with and without prefixes, old and new, under wrappers, beside other heads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from nqperf.errors import FormatError
from nqperf.formats.weights.imported import ImportedWeights
from nqperf.formats.weights.tensor_files import TensorFile, open_tensors
from nqperf.model.config import BertConfig
from nqperf.model.tensors import LAYOUTS, Layout
from nqperf.model.weights import check_shapes, expected_shapes, initial_weights, some_of

SOURCE = "a Hugging Face folder"
# Constants that some versions saved beside the weights: 0, 1, 2, ..., all zeros, and GPT-2's causal mask; and the count
# that PyTorch's averaged models keep.
_CONSTANTS = re.compile(r"(^|\.)(position_ids|embeddings\.token_type_ids|n_averaged)$|\.attn\.(masked_)?bias$")
# Families that are not built here, by the name that stands before their tensors: BERT's own names follow in many.
_FOREIGN = {
    "electra": "ELECTRA",
    "discriminator_predictions": "ELECTRA",
    "generator_predictions": "ELECTRA",
    "embeddings_project": "ELECTRA",
    "deberta": "DeBERTa",
    "ernie": "ERNIE",
    "nezha": "NEZHA",
    "convbert": "ConvBERT",
    "mobilebert": "MobileBERT",
    "funnel": "Funnel Transformer",
    "layoutlm": "LayoutLM",
    "splinter": "Splinter",
    "roformer": "RoFormer",
    "rembert": "RemBERT",
    "luke": "LUKE",
    "mpnet": "MPNet",
    "longformer": "Longformer",
    "xlnet": "XLNet",
    "data2vec_text": "data2vec",
    "nystromformer": "Nystromformer",
    "squeezebert": "SqueezeBERT",
}


def canonical_name(name: str, layout: Layout) -> str:
    """Return our name of the tensor `name` of Hugging Face's, in the `layout` of its family."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    # The head of every family's question answering is the span head: start and end logits, in this order.
    name = re.sub(r"^qa_outputs\.", "span.", name)
    return f"{layout.prefix}{name}" if _first(name) in _modules(layout) else name


def _first(name: str) -> str:
    return name.partition(".")[0]


def _modules(layout: Layout) -> set[str]:
    """Return the first parts of the names of a layout's modules, without its prefix."""
    return {_first(module) for module in (*layout.before.values(), layout.block_prefix, *layout.after.values())}


# What an encoder's tensors of any family begin with; all else is a head, or none of a network.
_ENCODERS = {name for layout in LAYOUTS.values() for name in (*_modules(layout), _first(layout.prefix))}


def check_family(names: Collection[str], config: BertConfig, *, path: object) -> None:
    """Raise when the tensors `names` at `path` are of another family than `config` is.

    Raises: FormatError with both families.
    """
    if foreign := foreign_family(names):
        raise FormatError(
            f"holds the weights of {foreign}, which is not built here, and the configuration says "
            f"{config.model_type}: use a model of {', '.join(LAYOUTS)}",
            path=path,
        )
    alike = [family for family, layout in LAYOUTS.items() if _has_attention(names, layout)]
    prefixed = [family for family in alike if any(f".{LAYOUTS[family].prefix}" in f".{name}" for name in names)]
    if names and not alike:
        raise FormatError(
            f"holds no network of {', '.join(LAYOUTS)}; its tensors are named {some_of(names)}: name the weights of "
            "such a network",
            path=path,
        )
    found = prefixed or alike
    if found and config.model_type not in found:
        direction = ", a causal network" if config.causal else ""
        raise FormatError(
            f"holds the tensors of {' or '.join(found)}, and the configuration is of {config.model_type}{direction}: "
            "put the configuration and the weights of one model there",
            path=path,
        )


def foreign_family(names: Iterable[str]) -> str | None:
    """Return the family that is not built here whose tensors or variables have such `names`; None for no known one."""
    parts = (part for name in names for part in re.split(r"[./]", name)[:3])
    return next((_FOREIGN[part] for part in parts if part in _FOREIGN), None)


def _has_attention(names: Iterable[str], layout: Layout) -> bool:
    parts = tuple(f".{name}.weight" for part, name in layout.block.items() if part.startswith("attention.query"))
    return any(f".{name}".endswith(parts) for name in names)


def read_hugging_face(path: Path, config: BertConfig, *, seed: int, averages: bool | None = None) -> ImportedWeights:
    """Return the tensors of the network `config` in the file of weights at `path`, or in an index's shards.

    What a network that was trained for something else lacks is made anew from `seed`: the pooler, the span head and the
    answer-type head, each whole or not at all. The heads of other tasks are left out. `averages` says whether the
    weights' moving averages are meant, where a file holds both.

    Raises: FormatError when the file is damaged or of another family, holds several networks, and with unknown, missing
    or misshapen tensors.
    """
    file, layout = open_tensors(path), LAYOUTS[config.model_type]
    names = [name for name in file.shapes if not _CONSTANTS.search(name)]
    check_family(names, config, path=path)
    names, wrapper, other = _unwrapped(names, layout, averages=averages, path=path)
    source_of = _sources(names, wrapper, layout, path=path)
    expected = expected_shapes(config)
    unused = [tensor for tensor in source_of if tensor not in expected and not _is_encoders(tensor)]
    used = {tensor: name for tensor, name in source_of.items() if tensor not in unused}
    new = _absent(used, expected, layout, config)
    check_shapes(
        {tensor: file.shapes[name] for tensor, name in used.items()},
        {tensor: shape for tensor, shape in expected.items() if tensor not in new},
        path=path,
        next_step=_next_step(used, expected, file),
    )
    notes = [f"the prefix {wrapper!r} of all names is left out"] if wrapper else []
    return ImportedWeights(
        source=SOURCE,
        weights=file.float32(used) | initial_weights(config, seed=seed, names=new),
        new=new,
        unused=tuple(sorted(source_of[tensor] for tensor in unused)),
        left_out=tuple(other),
        notes=tuple(notes),
    )


def _unwrapped(
    names: list[str], layout: Layout, *, averages: bool | None, path: Path
) -> tuple[list[str], str, list[str]]:
    """Return the names of the one network that is meant, the wrapper's prefix before all of them, and the other names.

    Raises: FormatError when a file holds several networks, or a wrapper's prefix stands before some names alone.
    """
    word = f"{layout.before['embeddings.word']}.weight"
    wrappers = [
        name.removesuffix(word).removesuffix(layout.prefix) for name in names if f".{name}".endswith(f".{word}")
    ]
    if len(wrappers) > 1:
        wrapper = _meant(wrappers, averages=averages, path=path)
        longest = sorted(wrappers, key=len, reverse=True)
        owner = {name: next((one for one in longest if name.startswith(one)), wrapper) for name in names}
        others = [name for name in names if owner[name] != wrapper]
        names = [name for name in names if owner[name] == wrapper]
    else:
        wrapper, others = (wrappers[0] if wrappers else ""), []
    outside = [name for name in names if not name.startswith(wrapper)]
    if outside:
        raise FormatError(
            f"has its network under {wrapper!r}, and beside it {some_of(outside)}; expected the prefix before all "
            "names or before none: save the model alone",
            path=path,
        )
    return names, wrapper, others


def _meant(wrappers: list[str], *, averages: bool | None, path: Path) -> str:
    """Return the prefix of the network that is meant, of several in one file.

    Raises: FormatError when that cannot be told.
    """
    averaged = [one for one in wrappers if "ema" in re.split(r"[._]", one.lower())]
    plain = [one for one in wrappers if one not in averaged]
    if len(averaged) == len(plain) == 1:
        if averages is None:
            raise FormatError(
                f"holds the weights ({plain[0] or 'without a prefix'}) and their moving averages ({averaged[0]}): say "
                "which by --ema or --no-ema",
                path=path,
            )
        return (averaged if averages else plain)[0]
    listed = some_of([repr(one) for one in wrappers])
    raise FormatError(f"holds {len(wrappers)} networks, under {listed}; expected one: save the one you mean", path=path)


def _sources(names: Iterable[str], wrapper: str, layout: Layout, *, path: Path) -> dict[str, str]:
    """Return the name in the file of each of our tensors.

    Raises: FormatError when one is there under two names.
    """
    source_of: dict[str, str] = {}
    for name in names:
        if (other := source_of.setdefault(canonical_name(name[len(wrapper) :], layout), name)) != name:
            raise FormatError(
                f"is there twice, as {other} too; expected one: make the file again", path=path, field=name
            )
    return source_of


def _is_encoders(tensor: str) -> bool:
    """Tell whether a name that is not ours is one of an encoder's, and so no head that could be left out."""
    return _first(tensor) in _ENCODERS


def _absent(used: Mapping[str, str], expected: Iterable[str], layout: Layout, config: BertConfig) -> tuple[str, ...]:
    """Return the tensors of the modules that a network may lack, and of which nothing is there."""
    present = {tensor.rpartition(".")[0] for tensor in used}
    pooler = layout.prefix + layout.after["pooler"] if config.has_pooler else ""
    return tuple(
        tensor
        for tensor in expected
        if (module := tensor.rpartition(".")[0]) in (pooler, "span", "answer_type") and module not in present
    )


def _next_step(used: Mapping[str, str], expected: Mapping[str, tuple[int, ...]], file: TensorFile) -> str:
    """Return what to do where tensors do not fit: by what is wrong with them."""
    known = [tensor for tensor in used if tensor in expected]
    if any(file.shapes[used[tensor]] != expected[tensor] for tensor in known):
        return "put the configuration there that these weights were made with"
    if len(known) < len(used):
        return "this network has parts that are not built here: use a model without them"
    return "the file is not whole: copy or save it again"
