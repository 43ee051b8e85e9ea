"""The features of some videos of the cache, as networks read those of a data set."""

from collections.abc import Mapping, Sequence

import numpy as np

from mafnet.features.extract import Extractor
from mafnet.features.videos import padded
from mafnet.model.data import INPUTS
from mafnet.video.media import Media


class CachedFeatures:
    """The features of usable videos in memory, padded to T clips (a `FeatureSource`).

    extractors: by modality; their cache has the videos. inputs: names of INPUTS.
    """

    def __init__(
        self,
        media: Sequence[Media],
        extractors: Mapping[str, Extractor],
        inputs: Sequence[str],
    ) -> None:
        self._extractors = extractors
        self._arrays: dict[str, np.ndarray] = {}
        self._valid: dict[str, np.ndarray] = {}
        for name in inputs:
            modality, layer = INPUTS[name]
            found = padded(media, extractors[modality], maps=layer == "maps")
            self._arrays[name], self._valid[name] = found

    def width(self, modality: str) -> int | None:
        """Channels of a modality's features, None if the network does not read it."""
        found = self._extractors.get(modality)
        return found.spec.feature_shape[-1] if found else None

    def read(self, rows: np.ndarray, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The features of some videos: (B, T, ...) float16 by input."""
        return {name: self._arrays[name][rows] for name in inputs}

    def valid(self, rows: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        """(B, T, K) bool, False where a clip is padding."""
        return np.stack([self._valid[name][rows] for name in inputs], axis=-1)
