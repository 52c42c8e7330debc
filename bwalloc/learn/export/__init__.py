"""Exporting a policy: the decision as a graph, its ONNX file, vectors to check it by."""
