"""TensorFlow checkpoints: Google's BERT and ALBERT, pre-trained, of SQuAD or of BERT Joint, and the thesis's.

All compute the tanh approximation of GELU, whatever the configuration beside them calls it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nqperf.errors import FormatError
from nqperf.formats.weights.checkpoint_names import (
    ALBERT,
    ALBERT_GROUPS,
    GOOGLE,
    HEADS,
    OBJECT_GRAPH,
    THESIS,
    CheckpointNames,
    is_kernel,
)
from nqperf.formats.weights.hugging_face import foreign_family
from nqperf.formats.weights.imported import ImportedWeights
from nqperf.model.config import BertConfig
from nqperf.model.tensors import Shape, tensors_of
from nqperf.model.weights import check_shapes, initial_weights, some_of
from nqperf.nq.example import FloatArray

INDEX_SUFFIX = ".index"

_NETWORK = "bert/"
_WORDS = "bert/embeddings/word_embeddings"
# Copies that training in mixed precision and moving averages keep beside a variable, under these names below it.
_SHADOW, _AVERAGE = "/shadow", "/ExponentialMovingAverage"
_SQUAD, _JOINT = "cls/squad/", "cls/nq/"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """A checkpoint's variables: `used` gives the one that holds each that the network knows by name."""

    used: dict[str, str]
    unused: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_tensorflow_checkpoint(
    prefix: Path, config: BertConfig, *, seed: int, averages: bool | None = None
) -> ImportedWeights:
    """Return the tensors of the network `config` in the checkpoint `prefix`; heads that it lacks are made from `seed`.

    The span head of SQuAD is the span head, and the heads of other tasks are left out. `averages` says whether the
    variables' moving averages are meant, where a checkpoint holds both.

    Raises: FormatError when it is no kind that is known for the family, when files are missing or damaged, and with
    unknown, missing or misshapen variables.
    """
    reader = _Reader(prefix)
    names = _kind(prefix, reader, config)
    found = _sorted_by_object(reader, names) if names is THESIS else _sorted_by_name(reader, names, averages=averages)
    shapes = {name: _folded(name, reader.shapes[held], config) for name, held in found.used.items()}
    new = _absent_heads(shapes, names) if names.headless else ()
    expected = {name: shape for name, shape in names.shapes(config).items() if name not in map(names.name_of, new)}
    check_shapes(shapes, expected, path=prefix, next_step=_next_step(shapes, expected))
    weights = initial_weights(config, seed=seed, names=new)
    for tensor in tensors_of(config):
        if tensor.name not in new:
            name = names.name_of(tensor.name)
            values = reader.read(found.used[name]).reshape(shapes[name])
            weights[tensor.name] = values.T if is_kernel(tensor) else values
    return ImportedWeights(
        source=names.source,
        weights=weights,
        new=new,
        unused=found.unused,
        left_out=found.left_out,
        notes=found.notes,
    )


def _sorted_by_object(reader: _Reader, names: CheckpointNames) -> _Sorted:
    left_out = tuple(name for name in sorted(reader.shapes) if names.bookkeeping.match(name))
    used = {name: name for name in sorted(reader.shapes) if name not in set(left_out)}
    return _Sorted(used=used, unused=(), left_out=left_out)


def _sorted_by_name(reader: _Reader, names: CheckpointNames, *, averages: bool | None) -> _Sorted:
    """Tell variables of the network from copies of them, from heads of other tasks, and from what training left."""
    wrapper = _wrapper(reader)
    ours = {name.removeprefix(wrapper): name for name in sorted(reader.shapes)}
    # What stands below a variable is a copy of it, or an optimizer's state.
    below = {name for name in ours if name.rpartition("/")[0] in ours}
    copies, means = (
        {name.removesuffix(end): name for name in below if name.endswith(end)} for end in (_SHADOW, _AVERAGE)
    )
    if means and averages is None:
        raise FormatError(
            f"holds the weights and their moving averages ({some_of(means.values(), shown=1)}): say which by --ema or "
            "--no-ema",
            path=reader.prefix,
        )
    held = {**copies, **(means if averages else {})}
    beside = {*copies.values(), *means.values()}
    left = {name for name in ours if name not in beside and _is_left(name, names, reader.shapes[ours[name]], below)}
    squad = f"{_JOINT}output_weights" not in ours
    used, unused = {}, []
    for name, variable in ours.items():
        if name in left or name in beside:
            continue
        known = name.replace(_SQUAD, _JOINT) if squad and name.startswith(_SQUAD) else name
        if known.startswith(_NETWORK) or known in map(names.name_of, HEADS):
            used[known] = ours[held.get(name, name)]
        else:
            unused.append(variable)
    notes = [f"the prefix {wrapper!r} of its names is left out"] if wrapper else []
    if copies:
        notes.append(f"{len(copies)} variables have float32 copies ({_SHADOW}): those are the weights")
    if means:
        notes.append(f"the weights are {'their moving averages' if averages else 'not their moving averages'}")
    if squad and any(name.startswith(_SQUAD) for name in ours):
        notes.append("the span head is that of SQuAD (cls/squad)")
    return _Sorted(
        used=used, unused=tuple(unused), left_out=tuple(ours[name] for name in sorted(left)), notes=tuple(notes)
    )


def _is_left(name: str, names: CheckpointNames, shape: Shape, below: Collection[str]) -> bool:
    """Tell whether training left a variable: a state below another one, a counter, a scale."""
    number = not shape and not name.startswith(_NETWORK)
    return name in below or number or names.bookkeeping.match(name) is not None


def _wrapper(reader: _Reader) -> str:
    """Return what stands before the network's own names.

    Raises: FormatError when the checkpoint holds several networks.
    """
    wrappers = [name.removesuffix(_WORDS) for name in reader.shapes if f"/{name}".endswith(f"/{_WORDS}")]
    if len(wrappers) > 1:
        raise FormatError(
            f"holds {len(wrappers)} networks, under {some_of([repr(one) for one in wrappers])}; expected one: save the "
            "one you mean",
            path=reader.prefix,
        )
    return wrappers[0] if wrappers else ""


def _next_step(found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> str:
    """Return what to do where variables do not fit: by what is wrong with them."""
    if any(name in expected and expected[name] != shape for name, shape in found.items()):
        return "put the configuration there that these weights were made with"
    if any(name not in expected for name in found):
        return "this network has parts that are not built here: use a checkpoint without them"
    return "the checkpoint is not whole: copy or save it again"


def _absent_heads(used: Collection[str], names: CheckpointNames) -> tuple[str, ...]:
    """Return the tensors of the heads of which nothing is there."""
    heads = {head: [name for name in HEADS if name.startswith(f"{head}.")] for head in ("span", "answer_type")}
    return tuple(
        name for tensors in heads.values() if not any(names.name_of(one) in used for one in tensors) for name in tensors
    )


def _folded(name: str, shape: Shape, config: BertConfig) -> Shape:
    """Return `shape` with (heads, head size) as one axis: some versions of the official layers keep them apart."""
    apart = (config.num_attention_heads, config.head_size)
    if "/attention_" in name:
        for axis in range(len(shape) - 1):
            if shape[axis : axis + 2] == apart:
                return (*shape[:axis], config.attention_size, *shape[axis + 2 :])
    return shape


def _kind(prefix: Path, reader: _Reader, config: BertConfig) -> CheckpointNames:
    shared = any(f"/{ALBERT_GROUPS}" in f"/{name}" for name in reader.shapes)
    if (shared and config.model_type == "bert") or (not shared and config.model_type == "albert"):
        raise FormatError(
            f"is {'' if shared else 'not '}ALBERT's (variables under {ALBERT_GROUPS}), and the configuration beside "
            f"it is of {config.model_type}: put the configuration and the weights of one model there",
            path=prefix,
        )
    if shared:
        return ALBERT
    if OBJECT_GRAPH in reader.shapes:
        return THESIS
    if any(f"/{_NETWORK}" in f"/{name}" for name in reader.shapes):
        return GOOGLE
    if foreign := foreign_family(reader.shapes):
        raise FormatError(f"is {foreign}'s, which is not built here; expected BERT's or ALBERT's", path=prefix)
    raise FormatError(
        f"is no BERT checkpoint; expected variables under {_NETWORK} ({GOOGLE.source}) or {OBJECT_GRAPH} "
        f"({THESIS.source}), got {some_of(sorted(reader.shapes)) or 'none'}",
        path=prefix,
    )


class _Reader:
    """The variables of one checkpoint, with TensorFlow's errors turned into ours."""

    def __init__(self, prefix: Path) -> None:
        import tensorflow as tf

        # Beside its own errors the reader raises those that pybind makes of a status, IndexError for a short file.
        self._failures = (tf.errors.OpError, IndexError, RuntimeError, ValueError)
        self.prefix = prefix
        try:
            self._reader: Any = tf.train.load_checkpoint(str(prefix))
            self.shapes = {name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()}
        except self._failures as error:
            raise self._damaged(error) from error

    def read(self, name: str) -> FloatArray:
        """Return the values of the variable `name`."""
        try:
            values = np.asarray(self._reader.get_tensor(name))
        except self._failures as error:
            raise self._damaged(error, name) from error
        if values.dtype.kind != "f" and values.dtype.name != "bfloat16":
            raise FormatError(f"has type {values.dtype}; expected floating-point numbers", path=self.prefix, field=name)
        return values.astype(np.float32, copy=False)

    def _damaged(self, error: Exception, name: str | None = None) -> FormatError:
        reason = " ".join(str(error).split())
        return FormatError(
            f"cannot be read as a TensorFlow checkpoint ({reason}): copy its .index and .data files again",
            path=self.prefix,
            field=name,
        )
