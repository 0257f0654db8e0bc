"""Every handwritten cast and numeric constant of the network, and the dtype policy each layer is given.

A 16-bit policy keeps the variables in float32 and computes in 16 bits, unless they are to rest in 16 bits too. Three
places must not follow it, and each has its function here: the masked softmax over attention scores, the residual
stream, and its normalisation. The policy of the embeddings and the heads is float32.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import keras

from nqperf.errors import ConfigError

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# exp(-10000) is exactly 0 in float32, float16 and bfloat16, and score - 10000 stays inside float16's +-65504, where
# the usual -1e9 would turn into -inf and 0 * -inf into NaN.
MASKED_SCORE = -10_000.0


def dtype_policy(precision: str, *, narrow_weights: bool = False) -> keras.DTypePolicy:
    """Return the policy that every layer is given by name, so that the global policy never matters.

    `precision` is one of PRECISIONS. With `narrow_weights` the variables of a 16-bit policy are kept in 16 bits:
    rounded once, not for each batch. The products are of the same numbers.

    Raises: ConfigError for a name that is not in PRECISIONS, or narrow weights of a policy that is not of 16 bits.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is unknown; expected one of {', '.join(PRECISIONS)}")
    if narrow_weights and not precision.startswith("mixed_"):
        raise ConfigError(f"narrow_weights is for a precision of 16 bits, not for {precision}: leave it out")
    return keras.DTypePolicy(precision.removeprefix("mixed_") if narrow_weights else precision)


# The policy of what must not be rounded, under every precision.
WIDE = dtype_policy("float32")


def real_positions(input_mask: Any) -> Any:
    """Return where `input_mask`, int[n, s], is not 0: bool[n, s], the form in which all layers take a mask.

    TensorFlow keeps int32 in the host's memory beside a GPU and computes it there; truth values stay on the device, and
    Keras does not cast them down to a layer's compute dtype, as it does floats.
    """
    return keras.ops.cast(input_mask, "bool")


def causal_mask(real: Any) -> Any:
    """Return which keys each query sees where no position sees those after it: bool[n, s] -> bool[n, s, s].

    `real` is true at real positions. One mask of both kinds: a key that is padding and comes later, too, would else get
    MASKED_SCORE twice.
    """
    position = keras.ops.arange(real.shape[1], dtype="float32")  # on the device, where integers would not be
    return keras.ops.logical_and(position[None, :] <= position[:, None], real[:, None, :])


def attention_probabilities(scores: Any, mask: Any, softmax_dtype: str) -> Any:
    """Return the softmax of `scores` over the keys that `mask` lets through, in the dtype of `scores`.

    `softmax_dtype` is "float32" but where the kernel is known to widen a 16-bit type by itself: 512 terms summed in a
    type of 8 or 11 significant bits would lose the small ones. The mask is added before the cast, where it joins the
    matrix product: real keys get an exact 0, and the others' rounded scores end as 0 all the same.

    Shapes: scores [n, a, s, s], mask bool[n, s] or bool[n, s, s] (query, key) -> [n, a, s, s].
    """
    hidden = keras.ops.cast(keras.ops.logical_not(mask), scores.dtype)
    hidden = hidden[:, None, None, :] if len(mask.shape) == 2 else hidden[:, None]  # noqa: PLR2004  # one row of keys
    masked = keras.ops.cast(scores + hidden * MASKED_SCORE, softmax_dtype)
    return keras.ops.cast(keras.ops.softmax(masked, axis=-1), scores.dtype)


def residual(stream: Any, branch: Any) -> Any:
    """Return the residual `stream` with what a `branch` computed added to it, in the stream's dtype."""
    return stream + keras.ops.cast(branch, stream.dtype)


def layer_norm(hidden: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Normalise the last axis of `hidden`, and scale it by `gamma` and shift it by `beta`. All must come in float32.

    In 16 bits the variance loses its digits and an `epsilon` of 1e-12 is 0.
    """
    centred = hidden - keras.ops.mean(hidden, axis=-1, keepdims=True)
    variance = keras.ops.mean(keras.ops.square(centred), axis=-1, keepdims=True)
    return centred * keras.ops.rsqrt(variance + epsilon) * gamma + beta
