"""The original backbones: reference values, and weights from a recipe with our names."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parents[1] / "data"

# Rounding to float16 (11 significant bits) has a relative error of at most 2^-11 = 4.9e-4.
FLOAT16_TOLERANCE = 5e-4


def relative_error(found, expected):
    """L2 norm of the difference, divided by that of the expected values."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@cache
def load_recipe():
    """The numpy recipe of the reference's weights and inputs."""
    spec = importlib.util.spec_from_file_location("recipe", DATA / "parity" / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def densenet_reference():
    """The names of the weights in Keras and torchvision, and the maps of two frames."""
    return dict(np.load(DATA / "parity_features" / "densenet.npz"))


@cache
def densenet_weights():
    """The recipe's arrays with torchvision's names."""
    weights, reference = {}, densenet_reference()
    names = zip(reference["keras_names"], reference["torchvision_names"], strict=True)
    for keras, torchvision in names:
        arrays = [torch.from_numpy(array) for array in load_recipe().densenet_weights(str(keras))]
        if len(arrays) == 1:
            weights[f"{torchvision}.weight"] = arrays[0].permute(3, 2, 0, 1).contiguous()
        else:
            parts = ("weight", "bias", "running_mean", "running_var")
            weights |= {f"{torchvision}.{part}": a for part, a in zip(parts, arrays, strict=True)}
    return weights


@cache
def vggish_weights():
    """The recipe's arrays with our names."""
    weights, recipe = {}, load_recipe()
    for layer, _, _ in recipe.VGG_LAYERS:
        kernel, bias = recipe.vgg_weights(layer)
        name = layer.split("/")[-1]
        weights[f"{name}.weight"] = torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous()
        weights[f"{name}.bias"] = torch.from_numpy(bias)
    return weights


def small_clips(count, seed=0, side=32):
    """Clips of four small frames; DenseNet-201 reduces 32 pixels to a map of one."""
    shape = (count, 4, side, side, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def noise_clips(count, seed=0):
    """Clips of one second of noise."""
    return np.random.default_rng(seed).integers(-9000, 9000, (count, 16_000), dtype=np.int16)
