"""Every handwritten cast and numeric constant of the network, and the dtype policy each layer is given.

A 16-bit policy keeps the variables in float32 and computes in 16 bits. Three places must not follow it, and each has
its function here: the masked softmax over attention scores, layer normalisation, and the logits that leave the model.
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


def dtype_policy(precision: str) -> keras.DTypePolicy:
    """Return the policy that every layer is given by name, so that the global policy never matters.

    Raises: ConfigError for a name that is not in PRECISIONS.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is unknown; expected one of {', '.join(PRECISIONS)}")
    return keras.DTypePolicy(precision)


def attention_probabilities(scores: Any, input_mask: Any, softmax_dtype: str) -> Any:
    """Return the softmax of `scores` over the keys that are real, in the dtype of `scores`.

    `softmax_dtype` is "float32" but where the kernel is known to widen a 16-bit type by itself: 512 terms summed in a
    type of 8 or 11 significant bits would lose the small ones. The mask is added before the cast, where it joins the
    matrix product: real keys get an exact 0, and the others' rounded scores end as 0 all the same. The mask comes as
    integers: Keras casts every floating argument of a layer down to its compute dtype.

    Shapes: scores [n, a, s, s], input_mask int[n, s] -> [n, a, s, s].
    """
    padding = keras.ops.cast(1 - input_mask, scores.dtype)[:, None, None, :]
    masked = keras.ops.cast(scores + padding * MASKED_SCORE, softmax_dtype)
    return keras.ops.cast(keras.ops.softmax(masked, axis=-1), scores.dtype)


def layer_norm(hidden: Any, gamma: Any, beta: Any, epsilon: float, dtype: str) -> Any:
    """Normalise the last axis in float32 and return it as `dtype`.

    In 16 bits the variance loses its digits and epsilon 1e-12 is 0. Gamma and beta must come as float32 variables.
    """
    wide = keras.ops.cast(hidden, "float32")
    centred = wide - keras.ops.mean(wide, axis=-1, keepdims=True)
    variance = keras.ops.mean(keras.ops.square(centred), axis=-1, keepdims=True)
    normalised = centred * keras.ops.rsqrt(variance + epsilon) * gamma + beta
    return keras.ops.cast(normalised, dtype)


def output_logits(logits: Any) -> Any:
    """Return logits as float32, in which spans are scored whatever the model computed in."""
    return keras.ops.cast(logits, "float32")
