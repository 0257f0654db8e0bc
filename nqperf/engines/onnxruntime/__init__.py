"""The ONNX Runtime engine: the weights' ONNX graph on the CPU, or on NVIDIA's GPUs by CUDA or TensorRT."""

from nqperf.engines.onnxruntime.engine import OnnxRuntimeConfig, OnnxRuntimeEngine

__all__ = ["OnnxRuntimeConfig", "OnnxRuntimeEngine"]
