"""Reference values of the original implementation, and its weights as our state dict.

Layouts of the reference are TensorFlow's: convolution kernels HWIO, dense kernels (in, out).
tests/data/parity/extract.py made the files.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch

from mafnet.model.networks import build_network
from mafnet.model.networks.blocks import Features

DATA = Path(__file__).parents[1] / "data" / "parity"

LAYERS = {
    "film_fc": "audio_block.film.generator",
    "conv1": "audio_block.conv1x1",
    "conv2": "audio_block.conv3x3",
    "conv2_bn": "audio_block.norm",
    "image_fc": "visual_dense.linear",
    "image_bn": "visual_dense.norm",
    "sound_fc": "audio_dense.linear",
    "sound_bn": "audio_dense.norm",
    "att_u": "attention.score.0",
    "att_w": "attention.score.2",
    "cls_fc": "classifier.linear",
    "cls_bn": "classifier.norm",
}
FIELDS = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "beta": "bias",
    "pop_mean": "running_mean",
    "pop_var": "running_var",
}


def load_recipe():
    """The numpy recipe of the reference's weights and inputs."""
    spec = importlib.util.spec_from_file_location("recipe", DATA / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipe = load_recipe()
VARIABLES = tuple(name for name, _, _ in recipe.MAF_VARS)


def our_name(variable: str) -> str:
    """The key in our state dict of a variable of the reference."""
    layer, _, field = variable.partition("/")
    return f"{LAYERS[layer]}.{FIELDS[field]}"


def to_ours(array: np.ndarray) -> torch.Tensor:
    """Convert HWIO to OIHW, and (in, out) to (out, in); vectors stay the same."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))


def to_theirs(tensor: torch.Tensor) -> np.ndarray:
    """The inverse of `to_ours`, flattened in the reference's order."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[tensor.ndim]
    return tensor.detach().permute(axes).reshape(-1).numpy()


def sampled(variable: str, flat: np.ndarray) -> np.ndarray:
    """The entries of a flat variable that are stored in the reference."""
    return flat[recipe.sample_idx(variable, flat.size)]


def reference_network(dtype: torch.dtype):
    """MAFnet for 28 classes with the reference's weights, in training mode."""
    sizes = {"classes": 28, "visual_features": 1920, "audio_features": 512}
    network = build_network("mafnet", **sizes, options={"bn_warmup": False})
    weights = {our_name(name): to_ours(recipe.maf_var(name)) for name in VARIABLES}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    return network.to(dtype)


def reference_batch(dtype: torch.dtype, batch: int = 4, tag: str = "parity"):
    """Features and labels (B,) of the reference's batch `tag`."""
    visual, audio, labels, _ = recipe.maf_inputs(batch, tag)
    features = Features(torch.from_numpy(visual).to(dtype), torch.from_numpy(audio).to(dtype))
    return features, torch.from_numpy(labels).long()


def load(name: str) -> dict:
    """All arrays of mafnet_{name}.npz."""
    with np.load(DATA / f"mafnet_{name}.npz") as arrays:
        return dict(arrays)


def relative_error(actual, expected) -> float:
    """L2 norm of the difference, divided by that of the expected values."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))
