"""Weights of the backbones: published or random, as one safetensors file each."""
