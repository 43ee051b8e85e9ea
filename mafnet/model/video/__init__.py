"""The video networks of the paper's table 1, fine-tuned end to end on frames.

Each network is one module here and one entry below. Reading the entries does not import torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mafnet.common.config import parse
from mafnet.common.errors import MafnetError
from mafnet.model.video.options import MIXED, NOT_USED, RECIPES, VideoOptions

if TYPE_CHECKING:
    from torch import nn

VERSION = 2
"""Raise it if fine-tuning or the evaluation of video networks computes something else."""

PRETRAINED = "kinetics400"
"""Name of the published weights of all video networks in resources/weights.tsv."""

PRETRAINED_CLASSES = 400


@dataclass(frozen=True)
class VideoSpec:
    """The properties of a video network that are known before it is built.

    location: "module:Class" in this folder. Its constructor takes the number of classes; it has
        `stages`, the parts that fine-tuning may freeze.
    classifier: beginning of the names of the parameters that depend on the classes.
    container: key of the state dict in the published file; empty if the file is the state dict.
    prefix: beginning of all names in the published state dict.
    git_blob: SHA-1 that git gives the published file, where the authors keep it in a repository.
    """

    name: str
    location: str
    classifier: str
    container: str = ""
    prefix: str = ""
    git_blob: str = ""

    def parse(self, options: Mapping) -> VideoOptions:
        """The options of a variant laid over the recipe; MafnetError names wrong ones."""
        return parse(VideoOptions, RECIPES[self.name][0] | dict(options), f"network {self.name}")

    def training(self, own: Mapping) -> dict[str, Any]:
        """The keys of `model.training` of a variant laid over those of the recipe."""
        return MIXED | RECIPES[self.name][1] | NOT_USED | dict(own)

    def build(self, classes: int, **options: Any) -> "nn.Module":  # noqa: ANN401 - of the network
        """The network with random weights of torch's global generator, in training mode."""
        module, _, attribute = self.location.partition(":")
        return getattr(import_module(f"{__name__}.{module}"), attribute)(classes, **options)


VIDEO_NETWORKS: Mapping[str, VideoSpec] = {
    spec.name: spec
    for spec in (
        VideoSpec("i3d", "i3d:I3D", "logits.", git_blob="73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a"),
        VideoSpec("r2plus1d", "r2plus1d:R2Plus1D", "fc."),
        VideoSpec("slowfast", "slowfast:SlowFast", "blocks.6.", container="model_state"),
        VideoSpec("mars", "mars:MARS", "fc.", container="state_dict", prefix="module."),
    )
}


def video_spec(name: str) -> VideoSpec:
    """The entry of a video network by name; MafnetError lists the known names."""
    if name not in VIDEO_NETWORKS:
        raise MafnetError(
            f"video network {name!r} is unknown; choose one of {', '.join(VIDEO_NETWORKS)}"
        )
    return VIDEO_NETWORKS[name]
