"""By what a backbone is computed: torch, or OpenVINO, which is twice as fast on a CPU.

At float32 the two agree to 1e-5 before features are rounded to float16, which moves them by 2e-4:
as little as a GPU and a CPU, or two processors, differ. At bfloat16 they differ by less than half
of what that precision costs. So `auto`, which takes what the machine at hand does best, is no part
of the fingerprint, and machines share a cache. Who needs every clip from the same backend names
it: then it is part of the fingerprint.
"""

import logging
from pathlib import Path
from typing import get_args

from mafnet.common.devices import choose_device, on_cpu
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import Backbone, backbone_class, backbone_spec, openvino_class
from mafnet.features.backbones.openvino_runtime import suits
from mafnet.features.config import FeatureSettings
from mafnet.features.weights.files import load, load_arrays

log = logging.getLogger(__name__)

BACKENDS: tuple[str, ...] = get_args(FeatureSettings.model_fields["backend"].annotation)


def build_backbone(features: FeatureSettings, weights: Path, device: str, threads: int) -> Backbone:
    """The backbone of one modality, by the backend that the settings name or that suits best."""
    if choose_backend(features, device) == "openvino":
        log.info("computing %s by OpenVINO with %d threads", features.precision, threads)
        chosen = openvino_class(features.backbone)
        return chosen(load_arrays(weights), features.precision, threads)
    place = str(choose_device(device, threads))
    return backbone_class(features.backbone)(load(weights), place, features.precision)


def choose_backend(features: FeatureSettings, device: str) -> str:
    """ "torch" or "openvino"; MafnetError if the one that was asked for cannot be had."""
    written = bool(backbone_spec(features.backbone).openvino)
    if features.backend == "auto":
        suitable = written and on_cpu(device) and suits(features.precision)
        return "openvino" if suitable else "torch"
    if features.backend == "openvino" and not (written and device in ("auto", "cpu")):
        reason = f"computes on CPUs, not on {device}" if written else f"has no {features.backbone}"
        raise MafnetError(f"backend openvino {reason}; choose auto")
    return features.backend
