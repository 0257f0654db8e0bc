"""What is trained where a student learns from a teacher: both networks, and the losses between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from nqperf.model.bert import BertJoint
from nqperf.model.precision import WIDE, causal_mask, real_positions
from nqperf.nq.example import FloatArray
from nqperf.training import losses
from nqperf.training.distillation_config import DistillationConfig
from nqperf.training.pruning import Places
from nqperf.training.student import layer_mapping
from nqperf.training.train import HEAD_WEIGHTS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teacher:
    """A teacher's built `network`, and what a student that was made from it has of its states and heads.

    None: the student has all of them, or was not made from this teacher. `heads` are those of the teacher's that each
    of the student's layers began with.

    Shapes: basis [teacher's hidden size, student's], heads int[student's heads] each.
    """

    network: BertJoint
    basis: FloatArray | None = None
    heads: tuple[Places, ...] | None = None


class Distiller(keras.Model):
    """A `student` with what its `teacher` teaches it by: learnt projections of its states and heads to the teacher's.

    `config` says which losses count, and how much.

    The projections are no part of the student: they end with the training. Where both are as wide, or have as many
    heads, there is nothing to project. The teacher is held as a function, so that Keras sees none of its variables.
    """

    def __init__(self, student: BertJoint, teacher: Teacher, config: DistillationConfig) -> None:
        super().__init__(dtype=WIDE, name="distiller")
        self.student = student
        self.loss_weights = config.used()
        self.temperature = config.temperature
        taught = teacher.network.config
        self.mapping = layer_mapping(len(student.config.block_order), len(taught.block_order))
        self._teach = _observer(teacher.network, self.mapping, self.loss_weights)
        self._learn = _observer(student, range(1, len(self.mapping) + 1), self.loss_weights)
        self.hidden_projection: Any = None
        widths = student.config.hidden_size, taught.hidden_size
        if widths[0] != widths[1] and {"cosine", "hidden"} & self.loss_weights.keys():
            self.hidden_projection = self._learnt("hidden_projection", widths, teacher.basis)
        heads = student.config.num_attention_heads, taught.num_attention_heads
        self.head_projections: list[Any] = []
        if heads[0] != heads[1] and "attention" in self.loss_weights:
            for number, layer in enumerate(self.mapping):
                begun = None if teacher.heads is None else np.eye(heads[1], dtype=np.float32)[:, teacher.heads[number]]
                self.head_projections.append(self._learnt(f"head_projection_{layer}", heads, begun))
        self.trackers = {name: keras.metrics.Mean(name=name) for name in self.loss_weights}

    def _learnt(self, name: str, sizes: tuple[int, int], begun: FloatArray | None) -> Any:
        """Return a matrix from the student's size to the teacher's, which begins as the transpose of `begun`."""
        initial = "orthogonal" if begun is None else keras.initializers.Constant(begun.T)
        return self.add_weight(shape=sizes, initializer=initial, name=name)

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> dict[str, Any]:
        return self._learn(inputs, training=training)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        parts = self.losses_of(y_pred, self._teach(x, training=False), y, x["input_mask"])
        for name, value in parts.items():
            self.trackers[name].update_state(value)
        return sum(self.loss_weights[name] * value for name, value in parts.items())

    def losses_of(self, ours: dict[str, Any], theirs: dict[str, Any], targets: Any, mask: Any) -> dict[str, Any]:
        """Return each loss that has a weight, before it is weighted.

        `ours` and `theirs` are what student and teacher gave, by output, `targets` the right answers; `mask` is 1 at
        real positions: int32[n, s].
        """
        real = ops.cast(ops.reshape(mask, (-1,)), "float32")
        truth = real_positions(mask)
        keys = causal_mask(truth) if self.student.config.causal else truth[:, None, :]
        seen = ops.cast(ops.logical_and(keys, truth[:, :, None]), "float32")  # by query

        def states() -> list[Any]:
            return [self._as_wide(state) for state in ours["states"]]

        parts: dict[str, Callable[[], Any]] = {
            "soft": lambda: _over_heads(
                lambda name: losses.soft_targets(ours["logits"][name], theirs["logits"][name], self.temperature)
            ),
            "hard": lambda: _over_heads(lambda name: _hard(ours["logits"][name], targets[name])),
            "cosine": lambda: losses.cosine_distance(states()[-1], theirs["states"][-1], real),
            "hidden": lambda: _mean_of(losses.hidden_error, states(), theirs["states"], real),
            "attention": lambda: _mean_of(
                losses.attention_error, self._as_many_heads(ours["scores"]), theirs["scores"], seen
            ),
        }
        return {name: parts[name]() for name in self.loss_weights}

    def _as_wide(self, state: Any) -> Any:
        """Return states [n * s, h] as wide as the teacher's."""
        return state if self.hidden_projection is None else ops.matmul(state, self.hidden_projection)

    def _as_many_heads(self, scores: Sequence[Any]) -> Sequence[Any]:
        """Return each mapped layer's scores [n, a, s, s] with as many heads as the teacher has."""
        if not self.head_projections:
            return scores
        return [
            ops.reshape(
                ops.matmul(ops.transpose(projection), ops.reshape(each, (-1, each.shape[1], each.shape[2] ** 2))),
                (-1, projection.shape[1], *each.shape[2:]),
            )
            for projection, each in zip(self.head_projections, scores, strict=True)
        ]


_Observer = Callable[..., "dict[str, Any]"]


def _observer(network: BertJoint, layers: Sequence[int], used: Mapping[str, float]) -> _Observer:
    """Return what runs a network and gives its logits, and of some of its layers the states and scores that are used.

    The states of the embeddings come first.
    """
    order = network.config.block_order

    def observe(inputs: dict[str, Any], *, training: bool | None) -> dict[str, Any]:
        states: list[Any] = []
        logits = network.call(inputs, training=training, states=states)
        seq_length = inputs["input_mask"].shape[1]
        seen: dict[str, Any] = {"states": [states[layer] for layer in (0, *layers)]}
        if "attention" in used:
            seen["scores"] = [
                ops.cast(network.blocks[order[layer - 1]].attention_scores(states[layer - 1], seq_length), "float32")
                for layer in layers
            ]
        return {**seen, "logits": logits}

    return observe


def _over_heads(loss: Callable[[str], Any]) -> Any:
    return sum(weight * loss(name) for name, weight in HEAD_WEIGHTS.items())


def _hard(logits: Any, target: Any) -> Any:
    sparse = len(target.shape) == 1
    compare = keras.losses.sparse_categorical_crossentropy if sparse else keras.losses.categorical_crossentropy
    return ops.mean(compare(target, logits, from_logits=True))


def _mean_of(loss: Callable[..., Any], ours: Sequence[Any], theirs: Sequence[Any], weights: Any) -> Any:
    values = [loss(one, other, weights) for one, other in zip(ours, theirs, strict=True)]
    return sum(values) / len(values)
