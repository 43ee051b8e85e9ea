"""The settings of fine-tuning, and the published recipe of each video network.

docs/video_networks.md says where each recipe comes from.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from mafnet.common.config import Number
from mafnet.video.sampling import Sampling


class VideoOptions(Sampling):
    """Options of the video networks. A recipe changes most of the defaults."""

    weights: Literal["kinetics400", "random"] = Field(
        "kinetics400", description="Weights before the fine-tuning: published ones, or `random`."
    )
    frozen_stages: int = Field(
        0,
        ge=0,
        le=5,
        description="Number of stages, from the input, whose weights and statistics stay as they "
        "are. All networks have five.",
    )
    momentum: Number = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    dampening: Number = Field(0, ge=0, le=1, description="Dampening of SGD's momentum.")
    weight_decay: Number = Field(0, ge=0, description="Weight decay of SGD.")
    nesterov: bool = Field(
        False, description="Nesterov's form of momentum, which has no dampening."
    )
    drops: list[Number] = Field(
        [], description="Epochs after which the step size is divided by ten."
    )
    clips_at_once: int = Field(
        8,
        ge=1,
        description="Clips that the network computes at a time. Gradients of several add up to "
        "one step of `training.batch_size`; batch normalisation sees one. Lower it if the memory "
        "of the GPU is too small.",
    )
    validation_clips: int = Field(
        1, ge=1, description="Clips of a video of the validation subset after each epoch."
    )


IMAGENET = {"mean": [0.45, 0.45, 0.45], "deviation": [0.225, 0.225, 0.225]}
LEVEL = 1 / 255

RECIPES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = MappingProxyType({
    "i3d": (
        {
            "frames": 64, "rate": 25, "short_side": [256, 256], "crop": 224,
            "test_short_side": 256, "test_crop": 224, "test_clips": 1, "test_frames": 250,
            "weight_decay": 1e-7, "drops": [6, 20], "clips_at_once": 6,
        },
        {"learning_rate": 0.1, "batch_size": 160, "max_epochs": 100, "patience": 10},
    ),
    "r2plus1d": (
        {
            "frames": 16, "rate": 15, "short_side": [128, 128], "scaled_width": 171, "crop": 112,
            "mean": [0.43216, 0.394666, 0.37645], "deviation": [0.22803, 0.22145, 0.216989],
            "nesterov": True, "weight_decay": 5e-3, "drops": [21, 42, 63], "clips_at_once": 16,
        },
        {"learning_rate": 8e-4, "batch_size": 32, "max_epochs": 84, "patience": 22},
    ),
    "slowfast": (
        {
            "frames": 32, "stride": 2, "rate": 30, "short_side": [256, 320], "crop": 224,
            "test_short_side": 256, "test_crop": 256, "test_crops": 3, **IMAGENET,
            "nesterov": True, "weight_decay": 1e-6, "drops": [14, 18], "clips_at_once": 8,
        },
        {"learning_rate": 0.03, "batch_size": 16, "max_epochs": 22, "patience": 10},
    ),
    "mars": (
        {
            "frames": 16, "rate": 25, "short_side": [112, 224], "crop": 112,
            "crop_from": "corners", "test_short_side": 112, "test_crop": 112, "test_clips": 0,
            "mean": [114.7748 * LEVEL, 107.7354 * LEVEL, 99.4750 * LEVEL], "deviation": [LEVEL] * 3,
            "frozen_stages": 4, "dampening": 0.9, "weight_decay": 1e-5, "clips_at_once": 32,
        },
        {"learning_rate": 0.001, "batch_size": 32, "max_epochs": 400, "patience": 10},
    ),
})  # fmt: skip
"""By network: its options, and its keys of `model.training`, that differ from the defaults."""

MIXED = {"precision": "bfloat16"}
"""All recipes: float32 takes twice the memory and several times as long on a GPU."""

NOT_USED = {"drop_rate": 0, "patience_steps": 0, "balance": "drop_visual"}
"""Keys of `model.training` that fine-tuning does not have."""
