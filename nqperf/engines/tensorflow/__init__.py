"""The TensorFlow engine: its config, the graph that it runs, and what that graph is read to have done."""

from nqperf.engines.tensorflow.config import TensorFlowConfig
from nqperf.engines.tensorflow.engine import TensorFlowEngine

__all__ = ["TensorFlowConfig", "TensorFlowEngine"]
