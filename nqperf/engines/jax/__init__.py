"""The JAX engine: the same Keras network on its backend `jax`, compiled by XLA as one function."""

from nqperf.engines.jax.engine import JaxConfig, JaxEngine

__all__ = ["JaxConfig", "JaxEngine"]
