"""Samples and their features, as training and evaluation read them."""

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of
from mafnet.dataset.manifest import Sample, read_manifest, require_subsets
from mafnet.features.feature_file import FeatureFile, open_features

log = logging.getLogger(__name__)

INPUTS = {
    "visual": ("visual", "pooled"),
    "visual_maps": ("visual", "maps"),
    "audio": ("audio", "maps"),
}
"""Inputs of networks: the modality and the layer of its file, by the name of the feature file."""


@dataclass(frozen=True)
class Subset:
    """The usable samples of one subset.

    rows: (S,) row of each sample's video in the feature files.
    labels: (S,) index of each sample's class.
    """

    samples: list[Sample]
    rows: np.ndarray
    labels: np.ndarray


class FeatureSource(Protocol):
    """What a network reads: `Data`, or the features of videos that belong to no data set."""

    def width(self, modality: str) -> int | None:
        """Channels of a modality's features, None if there are none."""

    def read(self, rows: np.ndarray, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The features of some videos: (B, T, ...) float16 by input, a name of INPUTS."""

    def valid(self, rows: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        """(B, T, K) bool of K inputs (names of INPUTS), False where a clip is padding."""


class Data:
    """A manifest joined with the feature files of some modalities.

    classes: names, in the order of the network's outputs; by default the sorted labels.
    """

    def __init__(
        self, manifest: Path, features: Sequence[Path], classes: Sequence[str] | None = None
    ) -> None:
        self.manifest = manifest
        self._samples = read_manifest(manifest, classes or ())
        self.classes = list(classes or sorted({sample.label for sample in self._samples}))
        self.files = {file.fingerprint["modality"]: file for file in map(open_features, features)}
        self._rows = _common_rows(self.files)

    @property
    def digest(self) -> str:
        """It changes if a row of the manifest changes or a feature file is written again."""
        files = {name: file.path.stat() for name, file in self.files.items()}
        written = {name: (found.st_size, found.st_mtime_ns) for name, found in files.items()}
        return digest_of([self.classes, [astuple(sample) for sample in self._samples], written])

    @property
    def clips(self) -> int:
        """T, the number of clips of a video."""
        return next(iter(self.files.values())).layers["valid"].shape[1]

    def width(self, modality: str) -> int | None:
        """Channels of a modality's features, None if the modality has no feature file."""
        file = self.files.get(modality)
        return file.layers[INPUTS[modality][1]].shape[-1] if file else None

    def subset(self, name: str) -> Subset:
        """The samples of a subset whose video is usable; MafnetError if there are none."""
        wanted = [sample for sample in self._samples if sample.subset == name]
        samples = [sample for sample in wanted if sample.video in self._rows]
        require_subsets(samples, [name], self.manifest)
        if len(samples) < len(wanted):
            log.warning("%s: %d of %d samples have no usable video", name,
                        len(wanted) - len(samples), len(wanted))  # fmt: skip
        index = {label: number for number, label in enumerate(self.classes)}
        return Subset(
            samples,
            np.array([self._rows[sample.video] for sample in samples]),
            np.array([index[sample.label] for sample in samples]),
        )

    def in_train(self, subset: Subset) -> int:
        """How many samples of a subset have a video or group that is also in train."""
        trained = {sample.cluster for sample in self._samples if sample.subset == "train"}
        return sum(sample.cluster in trained for sample in subset.samples)

    def untrained(self) -> list[str]:
        """Classes without usable training samples; empty if the manifest has no training rows."""
        train = [sample for sample in self._samples if sample.subset == "train"]
        trained = {sample.label for sample in train if sample.video in self._rows}
        return [name for name in self.classes if train and name not in trained]

    def read(self, rows: np.ndarray, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The features of some videos: (B, T, ...) float16 by input, a name of INPUTS."""
        return {name: self._read(name, rows) for name in inputs}

    def valid(self, rows: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        """(B, T, K) bool of K inputs (names of INPUTS), False where a clip is padding."""
        masks = [self.files[INPUTS[name][0]].read("valid", rows) for name in inputs]
        return np.stack(masks, axis=-1)

    def _read(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Rows of the layer that an input names; MafnetError if its file has no such layer."""
        modality, layer = INPUTS[name]
        file = self.files[modality]
        if layer not in file.layers:
            raise MafnetError(f"{file.path}: has no {layer}; give the file {name}.h5 instead")
        return file.read(layer, rows)


def _common_rows(files: dict[str, FeatureFile]) -> dict[str, int]:
    """The row of every video, the same in all files; MafnetError if they differ."""
    first, *others = files.values()
    for other in others:
        same_grid = first.layers["valid"].shape == other.layers["valid"].shape
        if first.rows != other.rows or not same_grid:
            raise MafnetError(
                f"{first.path} and {other.path} have different videos or clips; delete both, so "
                "that they are packed again"
            )
    return first.rows
