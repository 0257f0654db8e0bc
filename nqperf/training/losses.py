"""How far a student is from its teacher: one number for each way in which it is to be like it; 0 where it is.

Shapes are named n (windows), s (positions), k (classes), h (hidden size), a (attention heads). All is float32.
"""

from __future__ import annotations

from typing import Any

from keras import ops

# Below this length a state has no direction, and no cosine.
_SHORTEST = 1e-6


def soft_targets(student: Any, teacher: Any, temperature: float) -> Any:
    """Return the mean divergence of the softmax of `student` from that of `teacher`, both at `temperature`.

    Times the temperature's square, so that the gradient is as large at each temperature.

    Shapes: logits [n, k] -> [].
    Source: Hinton, Vinyals and Dean 2015; Sanh et al. 2019. As there, the Kullback-Leibler divergence.
    """
    ours, theirs = ops.log_softmax(student / temperature, axis=-1), ops.log_softmax(teacher / temperature, axis=-1)
    return temperature**2 * ops.mean(ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1))


def cosine_distance(student: Any, teacher: Any, real: Any) -> Any:
    """Return 1 less the mean cosine of the angle between the states of `student` and `teacher` at real positions.

    Shapes: states [n * s, h], real [n * s] of 0 and 1 -> [].
    Source: Sanh et al. 2019.
    """
    dots = ops.sum(student * teacher, axis=-1)
    lengths = ops.sqrt(ops.sum(ops.square(student), axis=-1) * ops.sum(ops.square(teacher), axis=-1))
    return _mean(1.0 - dots / ops.maximum(lengths, _SHORTEST**2), real)


def hidden_error(student: Any, teacher: Any, real: Any) -> Any:
    """Return the mean squared difference of the states of `student` and `teacher` at real positions.

    Shapes: states [n * s, h], real [n * s] of 0 and 1 -> [].
    Source: Jiao et al. 2020.
    """
    return _mean(ops.mean(ops.square(student - teacher), axis=-1), real)


def attention_error(student: Any, teacher: Any, seen: Any) -> Any:
    """Return the mean squared difference of the attention scores, before the softmax, where a query sees a key.

    `student` and `teacher` are the two networks' scores.

    Shapes: scores [n, a, s, s] (query, key), seen [n, s, s] of 0 and 1 -> [].
    Source: Jiao et al. 2020. There what is not seen counts as equal; here it does not count.
    """
    return _mean(ops.mean(ops.square(student - teacher), axis=1), seen)


def _mean(values: Any, weights: Any) -> Any:
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)
