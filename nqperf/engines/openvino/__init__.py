"""The OpenVINO engine: the ONNX graph of the weights, compiled for the CPU in float32, bfloat16 or 8 bits."""

from nqperf.engines.openvino.engine import OpenVinoConfig, OpenVinoEngine

__all__ = ["OpenVinoConfig", "OpenVinoEngine"]
