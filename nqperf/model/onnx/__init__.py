"""The network as an ONNX graph, built from a model folder's tensors by our own code, for engines that read ONNX."""
