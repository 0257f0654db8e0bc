"""The modules of a network whose products can be in 8 bits, and those that are left in float32."""

from __future__ import annotations

from nqperf.model.config import BertConfig
from nqperf.model.tensors import tensors_of

_KERNEL = ".kernel"


def kernel_modules(config: BertConfig) -> tuple[str, ...]:
    """Return the modules of `config` with a kernel, whose products can be in 8 bits, in the order of computation."""
    variables = [tensor.variable for tensor in tensors_of(config)]
    return tuple(name.removesuffix(_KERNEL) for name in variables if name.endswith(_KERNEL))


def default_wide(config: BertConfig) -> tuple[str, ...]:
    """Return what is left in float32 where nothing else is said: all outside of blocks, and two feed-forward outputs.

    `config` is the network's. Those of the first two blocks lose most by 8 bits, and what they lose goes through all
    the others.
    """
    rough = {"blocks.0.output_dense", "blocks.1.output_dense"}
    return tuple(module for module in kernel_modules(config) if not module.startswith("blocks.") or module in rough)
