"""Small float64 networks for the variants in config.yaml, and features for them."""

from pathlib import Path

import torch
import yaml

from mafnet.model.networks import NETWORKS, NetworkSpec, build_network
from mafnet.model.networks.blocks import Features, Network

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
VARIANTS = CONFIG["model"]["variants"]
TRAINED = [name for name, spec in NETWORKS.items() if not spec.fit]
DIFFERENT = [
    name
    for name, variant in VARIANTS.items()
    if not name.startswith(("drop_", "balance_")) and variant["network"] in TRAINED
]
"""The variants with different networks on features that gradient descent trains; the variants
`drop_*` and `balance_*` share the network of `mafnet`."""

BATCH, CLIPS, CLASSES, VISUAL, AUDIO = 6, 3, 5, 20, 8
SIZES = {"classes": CLASSES, "visual_features": VISUAL, "audio_features": AUDIO}
ROUNDING = {"rtol": 1e-10, "atol": 1e-12}  # float64; sums of thousands of terms in another order


def spec_of(variant: str) -> NetworkSpec:
    return NETWORKS[VARIANTS[variant]["network"]]


def options_of(variant: str, **changes: object) -> dict:
    """The options of a variant, with a small hidden size."""
    own = VARIANTS[variant].get("options", {}) | changes
    return spec_of(variant).resolved({"hidden": 16, "bn_momentum": 0.3, "bn_warmup": False}, own)


def build(variant: str, seed: int = 0, **changes: object) -> Network:
    """A small float64 network with fresh weights."""
    torch.manual_seed(seed)
    return build_network(
        spec_of(variant).name, options=options_of(variant, **changes), **SIZES
    ).double()


def warmed(variant: str, seed: int = 0, **changes: object) -> Network:
    """The same network after three batches, which change its running statistics."""
    network = build(variant, seed, **changes)
    for _ in range(3):
        network(batch())
    return network


def batch(size: int = BATCH) -> Features:
    """Random features of all kinds, not negative, like the features of the backbones."""
    return Features(
        visual=torch.rand(size, CLIPS, VISUAL, dtype=torch.float64),
        audio=torch.rand(size, CLIPS, 4, 3, AUDIO, dtype=torch.float64),
        visual_maps=torch.rand(size, CLIPS, 2, 3, VISUAL, dtype=torch.float64),
    )
