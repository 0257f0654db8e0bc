"""A student's shape and its first weights, both out of its teacher.

A student as wide as its teacher takes over every layer it is mapped to. A narrower one keeps of the states the
directions in which they vary most. Of the heads and units are left those that the others cannot stand in for
(`nqperf.training.pruning`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nqperf.errors import ConfigError
from nqperf.model.config import BertConfig
from nqperf.model.tensors import outputs_first, tensors_of
from nqperf.nq.example import FloatArray, IntArray
from nqperf.training.pruning import Places

if TYPE_CHECKING:
    from nqperf.model.bert import BertJoint


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentShape:
    """How many `layers` a student has, and how wide they are: `hidden` units; None is as the teacher.

    `heads` is the number of a layer's heads, `intermediate` that of its feed-forward units. Heads are as wide as the
    teacher's. In a narrower student there are fewer of them, and of the feed-forward units, in proportion, where
    nothing is said of them.
    """

    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    intermediate: int | None = None

    def config(self, teacher: BertConfig) -> BertConfig:
        """Return the configuration of a student of `teacher`.

        Raises: ConfigError when the student would be larger than its teacher, or has no whole heads in proportion.
        """
        layers = teacher.num_hidden_layers if self.layers is None else self.layers
        hidden = teacher.hidden_size if self.hidden is None else self.hidden
        heads = teacher.num_attention_heads * hidden // teacher.hidden_size if self.heads is None else self.heads
        in_proportion = max(1, teacher.intermediate_size * hidden // teacher.hidden_size)
        intermediate = in_proportion if self.intermediate is None else self.intermediate
        for name, value, most in (
            ("layers", layers, teacher.num_hidden_layers),
            ("hidden", hidden, teacher.hidden_size),
            ("heads", heads, teacher.num_attention_heads),
            ("intermediate", intermediate, teacher.intermediate_size),
        ):
            if not 1 <= value <= most:
                raise ConfigError(f"student {name} is {value}; expected from 1 to {most}, the teacher's")
        if self.heads is None and hidden % teacher.head_size:
            raise ConfigError(
                f"student hidden is {hidden}; expected a multiple of {teacher.head_size}, a head of the teacher's, "
                "or the number of heads"
            )
        return dataclasses.replace(
            teacher,
            num_hidden_layers=layers,
            hidden_size=hidden,
            num_attention_heads=heads,
            head_dim=teacher.head_dim_of(heads, hidden),
            intermediate_size=intermediate,
        )


def layer_mapping(student: int, teacher: int) -> tuple[int, ...]:
    """Return for each of a student's layers the teacher's whose output it learns: evenly spread, the last the last.

    There are `student` and `teacher` of them. Layers count from 1; 0 are the embeddings, which learn from the
    embeddings.
    """
    return tuple((2 * layer * teacher + student) // (2 * student) for layer in range(1, student + 1))


def states_basis(network: BertJoint, batches: Iterable[Mapping[str, IntArray]], width: int) -> FloatArray:
    """Return `width` orthonormal directions that hold the most of the states of `network` at real places of `batches`.

    A layer norm takes the mean over the units away: that direction is the mean of the narrow states, too, and the
    others are turned at random, so that no unit of the narrow states is larger than the rest.

    Shapes: -> [hidden size, width].
    """
    size = network.config.hidden_size
    moment = np.zeros((size, size))
    for inputs in batches:
        real = inputs["input_mask"].reshape(-1) > 0
        states: list[Any] = []
        network.encode(dict(inputs), training=False, states=states)
        for each in states:
            kept = np.asarray(each, np.float64)[real]
            moment += kept.T @ kept
    wide, narrow = _mean_direction(size), _mean_direction(width)
    away = np.eye(size) - np.outer(wide, wide)
    directions = np.linalg.eigh(away @ moment @ away)[1][:, ::-1][:, : width - 1]
    turn = np.random.default_rng(0).standard_normal((width, width - 1))
    turn = np.linalg.qr(np.column_stack([narrow, turn]))[0][:, 1:]
    basis: FloatArray = (np.outer(wide, narrow) + directions @ turn.T).astype(np.float32)
    return basis


def _mean_direction(size: int) -> Any:
    return np.full(size, size**-0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What a narrower student keeps of its teacher's states: directions of the stream, and pooled units.

    Shapes: basis [teacher's hidden size, student's]; pooled int[student's hidden size].
    """

    basis: FloatArray
    pooled: Places


def keep(teacher: BertConfig, weights: Mapping[str, FloatArray], width: int, basis: FloatArray) -> Kept:
    """Return what a student of another `width` keeps: of the pooled units those with the largest weights.

    `teacher` and `weights` are the teacher's configuration and tensors; `basis` are the directions of its states that
    are kept: [hidden size, width].
    """
    answers = next(tensor for tensor in tensors_of(teacher) if tensor.variable == "answer_type.kernel")
    sizes = np.square(outputs_first(answers, weights[answers.name])).sum(axis=0)
    return Kept(basis=basis, pooled=np.sort(np.argsort(-sizes, kind="stable")[:width]))


def taught_blocks(student: BertConfig, teacher: BertConfig) -> tuple[int, ...]:
    """Return for each block of `student` the block of `teacher` that it begins as."""
    mapping = layer_mapping(len(student.block_order), len(teacher.block_order))
    order = [student.block_order.index(block) for block in range(max(student.block_order) + 1)]
    return tuple(teacher.block_order[mapping[place] - 1] for place in order)


def student_weights(
    teacher: BertConfig, weights: Mapping[str, FloatArray], student: BertConfig, kept: Kept | None
) -> dict[str, FloatArray]:
    """Return the first weights of `student`: those of `teacher`, of the layers it learns from and what is `kept`.

    `weights` are the teacher's tensors; `kept` is None where the student keeps all of their units.
    """
    of_path = {tensor.variable: tensor for tensor in tensors_of(teacher)}
    blocks = taught_blocks(student, teacher)
    made: dict[str, FloatArray] = {}
    for tensor in tensors_of(student):
        module, _, kind = tensor.variable.rpartition(".")
        place = ""
        if module.startswith("blocks."):
            _, number, module = module.split(".", 2)
            place = f"blocks.{blocks[int(number)]}."
        origin = of_path[f"{place}{module}.{kind}"]
        values = outputs_first(origin, weights[origin.name])
        if kept is not None:
            values = _narrowed(values, module, kind, _indices(kept, teacher), kept.basis)
        made[tensor.name] = np.ascontiguousarray(outputs_first(origin, values), dtype=np.float32)
    return made


# What the axes of a module's weight stand for, outputs first; those of a family without poolers or with narrow tables
# are put right below.
_AXES = {
    "embeddings.word": ("", "width"),
    "embeddings.position": ("", "width"),
    "embeddings.segment": ("", "width"),
    "embeddings.norm": ("width",),
    "embeddings.widen": ("stream", "width"),
    "attention.query": ("", "stream"),
    "attention.key": ("", "stream"),
    "attention.value": ("", "stream"),
    "attention.query_key_value": ("", "stream"),
    "attention.output_dense": ("stream", ""),
    "attention_norm": ("stream",),
    "intermediate": ("", "stream"),
    "output_dense": ("stream", ""),
    "output_norm": ("stream",),
    "final_norm": ("stream",),
    "pooler": ("pooled", "stream"),
    "span": ("", "stream"),
    "answer_type": ("", "answers"),
}


def _narrowed(
    values: FloatArray, module: str, kind: str, indices: Mapping[str, Places | None], basis: FloatArray
) -> FloatArray:
    """Return a tensor with each axis as narrow as the student; an axis without indices lies along the states."""
    for axis, meaning in enumerate(_AXES[module][: values.ndim]):
        if not meaning:
            continue
        kept = indices[meaning]
        if kept is not None:
            values = np.take(values, kept, axis=axis)
        elif kind == "gamma":
            # A diagonal in the wide states; what it is along the narrow ones. States of the same length have larger
            # units where they have fewer.
            values = values @ np.square(basis) * np.sqrt(basis.shape[0] / basis.shape[1])
        else:
            values = np.moveaxis(np.tensordot(values, basis, (axis, 0)), -1, axis)
    return values


def _indices(kept: Kept, teacher: BertConfig) -> dict[str, Places | None]:
    """Return which places of an axis stay, by what it stands for; None where they are along the states."""
    width = teacher.embedding_width
    return {
        "stream": None,
        "width": None if width == teacher.hidden_size else np.arange(width),
        "pooled": kept.pooled,
        "answers": kept.pooled if teacher.has_pooler else None,
    }
