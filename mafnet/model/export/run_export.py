"""Makes an ONNX graph from a run, and compares it with torch before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.features.backbones import frozen_network
from mafnet.features.backbones.hub import is_hub
from mafnet.features.backbones.spec import BackboneSpec
from mafnet.features.weights.files import load
from mafnet.model.export.agreement import (
    head_differences,
    random_clips,
    random_features,
    specs_of,
    whole_differences,
)
from mafnet.model.export.contents import Contents
from mafnet.model.export.graphs import OUTPUTS, SOURCES, ClipFeatures, Head, as_onnx
from mafnet.model.export.whole import features_of, joined
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import trained_network

TOLERANCE = 1e-4
"""Largest difference of a probability or an attention score from torch's.

Sums in another order differ by 1e-6; a wrong operation by percents."""

WHOLE_TOLERANCE = 1e-3
"""The same for a whole; measured: 3e-6. Its features are rounded to float16 after sums in another
order, so some of them differ by 1e-3 of their value."""


@dataclass(frozen=True)
class Exported:
    """A graph with its description. differences: largest one from torch's, by output."""

    model: onnx.ModelProto
    contents: Contents
    differences: dict[str, float]

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all."""
        with replacing(path, sealed=True) as beside:
            beside.write_bytes(self.model.SerializeToString())


class _Widths:
    """The channels of the features of a run (part of a `FeatureSource`)."""

    def __init__(self, specs: Mapping[str, BackboneSpec]) -> None:
        self._specs = specs

    def width(self, modality: str) -> int | None:
        """Channels of a modality's features, None if the run does not read it."""
        found = self._specs.get(modality)
        return found.feature_shape[-1] if found else None


def export_run(run: RunFolder, settings: RunSettings, weights: Mapping[str, Path]) -> Exported:
    """A trained run as ONNX: its head, or with weights the whole.

    weights: files of the frozen networks by modality; empty for the head.
    MafnetError if a part cannot be converted, or if ONNX Runtime and torch do not agree.
    """
    specs = specs_of(settings)
    calibration = run.read_calibration()
    network = trained_network(run, _Widths(specs))
    head = Head(network, settings.inputs, calibration.temperature)
    model = as_onnx(head, random_features(settings, 2), OUTPUTS, "videos")
    contents = Contents(
        part="whole" if weights else "head", settings=settings.as_dict(),
        temperature=calibration.temperature, temperature_note=calibration.note,
    )  # fmt: skip
    if weights:
        frozen = {name: _frozen(spec, weights[name]) for name, spec in specs.items()}
        graphs = {name: _backbone(each, settings, specs[name]) for name, each in frozen.items()}
        shapes = {name: spec.feature_shape for name, spec in specs.items()}
        model = joined(graphs, model, settings.inputs, settings.clips, shapes)
        found = whole_differences(model, head, frozen, settings)
    else:
        found = head_differences(model, head, settings)
    _require_agreement(found, WHOLE_TOLERANCE if weights else TOLERANCE)
    onnx.helper.set_model_props(model, contents.metadata())
    model.producer_name, model.producer_version = "mafnet", contents.mafnet
    return Exported(model, contents, found)


def _frozen(spec: BackboneSpec, weights: Path) -> ClipFeatures:
    """A frozen network that reads the frames of clips, or the output of the audio's front end."""
    if is_hub(spec.name):
        raise MafnetError(
            f"--whole: the network {spec.name} of a hub cannot be part of the file; export the head"
        )
    return ClipFeatures(frozen_network(spec.name).build(load(weights)))


def _backbone(network: ClipFeatures, settings: RunSettings, spec: BackboneSpec) -> onnx.ModelProto:
    clips = torch.from_numpy(random_clips(settings, spec, 2))
    return as_onnx(network, {SOURCES[spec.modality]: clips}, [features_of(spec.modality)], "clips")


def _require_agreement(differences: Mapping[str, float], tolerance: float) -> None:
    """MafnetError if a probability or an attention score differs too much, or is not finite."""
    for name in ("probabilities", "attention"):
        if not differences[name] <= tolerance:
            raise MafnetError(
                f"ONNX Runtime computes other {name} than torch: the largest difference is "
                f"{differences[name]:.2g}, and {tolerance:g} is allowed; use the run folder, or "
                "choose another variant"
            )
