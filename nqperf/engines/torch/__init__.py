"""The PyTorch engine: the weights by PyTorch's functions, as they are or compiled, on a GPU or the CPU."""

from nqperf.engines.torch.engine import TorchConfig, TorchEngine

__all__ = ["TorchConfig", "TorchEngine"]
