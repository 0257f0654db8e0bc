"""The ONNX Runtime engine: the weights' ONNX graph on the CPU, or on NVIDIA's GPUs by CUDA or TensorRT."""

import os

# Since 1.32 it tells Microsoft of its sessions from Linux too, by a thread of its own: nothing is told of a user's
# models, and no thread computes beside what is timed. It looks when it is imported, which this package does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from nqperf.engines.onnxruntime.engine import OnnxRuntimeConfig, OnnxRuntimeEngine

__all__ = ["OnnxRuntimeConfig", "OnnxRuntimeEngine"]
