"""Trained runs as ONNX files, and predictions by them."""
