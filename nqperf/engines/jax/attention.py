"""Attention as one call of JAX: written out by XLA, or one kernel of cuDNN that keeps the scores on the chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

Implementation = Literal["layers", "xla", "cudnn"]
_ONE_ROW_OF_KEYS = 2


def fused_attention(implementation: Literal["xla", "cudnn"]) -> Callable[[Any, Any, Any, Any], Any]:
    """Return the function of queries, keys, values and mask that a layer calls, computed by this `implementation`.

    Shapes: [n, s, a, d] each, mask bool[n, s], or bool[n, s, s] where no query sees keys behind it -> [n, s, a, d].
    Keys that are not seen stand behind those that are: cuDNN is told how many there are.
    """
    import jax
    import jax.numpy as jnp

    def attend(query: Any, key: Any, value: Any, mask: Any) -> Any:
        causal = mask.ndim != _ONE_ROW_OF_KEYS
        if implementation == "xla":
            seen = mask[:, None] if causal else mask[:, None, None, :]
            return jax.nn.dot_product_attention(query, key, value, mask=seen, implementation="xla")
        lengths = jnp.sum(mask[:, -1] if causal else mask, axis=-1, dtype=jnp.int32)
        # A row of padding alone sees its first key: a softmax over nothing is not a number.
        return jax.nn.dot_product_attention(
            query,
            key,
            value,
            is_causal=causal,
            key_value_seq_lengths=jnp.maximum(lengths, 1),
            implementation="cudnn",
        )

    return attend
