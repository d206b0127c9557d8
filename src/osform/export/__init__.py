"""Models from their source to TorchScript and ONNX bundles.

The only package that imports torch, and only inside functions.
"""
