"""The network for others: an ONNX file, and which of its products must stay in float32."""
