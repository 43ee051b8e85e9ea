"""The backend that computes a backbone: torch, or OpenVINO, which is twice as fast on a CPU.

At float32 the two agree to 1e-5 before features are rounded to float16, which moves them by 2e-4.
A GPU and a CPU, or two processors, differ as little. At bfloat16 they differ by less than half of
the error of that precision. So `auto`, which chooses the faster one on this machine, is no part of
the fingerprint, and machines share a cache. A backend that is named is part of the fingerprint:
then every clip comes from it.
"""

import logging
from pathlib import Path
from typing import get_args

import numpy as np

from mafnet.common.devices import choose_device, on_cpu
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import Backbone, backbone_spec
from mafnet.features.backbones.openvino_backbone import OpenVINOBackbone, parts_of
from mafnet.features.backbones.openvino_convert import converted
from mafnet.features.backbones.openvino_runtime import suits
from mafnet.features.config import FeatureSettings
from mafnet.features.weights.files import load

log = logging.getLogger(__name__)

BACKENDS: tuple[str, ...] = get_args(FeatureSettings.model_fields["backend"].annotation)


def build_backbone(features: FeatureSettings, weights: Path, device: str, threads: int) -> Backbone:
    """The backbone of one modality, by the backend that the settings name or that suits best."""
    if choose_backend(features, device) == "openvino":
        log.info("computing %s by OpenVINO with %d threads", features.precision, threads)
        return OpenVINOBackbone(features.backbone, weights, features.precision, threads)
    from mafnet.features.backbones.inference import TorchBackbone

    place = str(choose_device(device, threads))
    return TorchBackbone(features.backbone, load(weights), place, features.precision)


def prepare(features: FeatureSettings, weights: Path, clips: np.ndarray) -> None:
    """Convert the backbone ahead of clips like these, if OpenVINO will compute them."""
    if choose_backend(features, "auto") == "openvino":
        parts = parts_of(clips, backbone_spec(features.backbone))
        converted(features.backbone, weights, parts[0, 0])


def choose_backend(features: FeatureSettings, device: str) -> str:
    """ "torch" or "openvino"; MafnetError if the one that was asked for cannot be had."""
    if features.backend == "auto":
        return "openvino" if on_cpu(device) and suits(features.precision) else "torch"
    if features.backend == "openvino" and device not in ("auto", "cpu"):
        raise MafnetError(f"backend openvino computes on CPUs, not on {device}; choose auto")
    return features.backend
