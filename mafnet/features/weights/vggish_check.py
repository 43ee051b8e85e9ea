"""Checks converted VGGish weights: torch must compute the same maps as TensorFlow."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.logmel import HOP_SAMPLES, PATCH_FRAMES, log_mel
from mafnet.features.backbones.vggish_layers import CHANNELS
from mafnet.features.backbones.zoo.vggish import VGGishNetwork
from mafnet.features.weights.files import load

log = logging.getLogger(__name__)

MAPS_TOLERANCE = 1e-5
"""Relative L2; float32 round-off gives 5e-7 to 2e-6, a wrong bias at least 1e-3."""

FRONT_END_TOLERANCE = 1e-3
"""Largest difference of a log-mel value; float32 round-off reaches 5e-4 on a pure tone."""


@dataclass(frozen=True)
class Agreement:
    """Differences between torch and TensorFlow on `patches` log-mel patches.

    maps_largest, maps_relative: differences of the maps, largest absolute and relative L2.
    front_end_largest: largest difference of the log-mel patches, None without a front end.
    """

    patches: int
    maps_largest: float
    maps_relative: float
    front_end_largest: float | None


def torch_weights(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """State dict from TensorFlow's tensors: kernels (3, 3, in, out) become (out, in, 3, 3)."""
    weights = {}
    for name in CHANNELS:
        weights[f"{name}.weight"] = tensors[f"{name}.kernel"].permute(3, 2, 0, 1).contiguous()
        weights[f"{name}.bias"] = tensors[f"{name}.bias"]
    return weights


def agreement(tensors: dict[str, torch.Tensor]) -> Agreement:
    """Compare torch with the output of mafnet.features.weights.vggish_tensorflow."""
    network = VGGishNetwork()
    network.load_state_dict(torch_weights(tensors))
    with torch.no_grad():
        maps = network(tensors["patches"][:, None]).permute(0, 2, 3, 1)  # (N, 12, 8, 512)
    difference = (maps - tensors["maps"]).double()
    return Agreement(
        patches=len(maps),
        maps_largest=difference.abs().max().item(),
        maps_relative=(difference.norm() / tensors["maps"].double().norm()).item(),
        front_end_largest=_front_end(tensors) if "waveform" in tensors else None,
    )


def checked(path: Path) -> dict[str, torch.Tensor]:
    """State dict of a correct conversion; MafnetError, with the differences, otherwise.

    A different front end is only a warning: tests compare ours with the original's numbers, and
    the weights do not depend on it.
    """
    tensors = load(path)
    found = agreement(tensors)
    figures = (
        f"largest difference {found.maps_largest:.1e}, relative {found.maps_relative:.1e} "
        f"on {found.patches} log-mel patches"
    )
    if not found.maps_relative <= MAPS_TOLERANCE:  # `not <=` is also true for NaN
        raise MafnetError(
            f"{path}: torch and TensorFlow disagree ({figures}); these weights cannot be used: "
            "choose other weights, e.g. audioset"
        )
    log.info("torch and TensorFlow agree: %s", figures)
    if found.front_end_largest is not None:
        right = found.front_end_largest <= FRONT_END_TOLERANCE
        level = logging.INFO if right else logging.WARNING
        log.log(level, "log-mel patches: largest difference %.1e", found.front_end_largest)
    return torch_weights(tensors)


def _front_end(tensors: dict[str, torch.Tensor]) -> float:
    """Largest difference between our log-mel patches and those of the SavedModel's front end."""
    hop = PATCH_FRAMES * HOP_SAMPLES
    clips = tensors["waveform"].unfold(0, hop + 2 * HOP_SAMPLES, hop)  # (N, 15,680)
    patches = log_mel(clips.numpy())
    both = min(len(patches), len(tensors["patches"]))
    return float(np.abs(patches[:both] - tensors["patches"][:both].numpy()).max())
