"""The features of some videos of the cache, as networks read those of a data set."""

from collections.abc import Mapping, Sequence

import numpy as np

from mafnet.features.extract import Extractor
from mafnet.features.videos import padded
from mafnet.model.data import INPUTS
from mafnet.video.media import Media


class FeatureArrays:
    """Features in memory, padded to T clips (a `FeatureSource`).

    arrays: by input, a name of INPUTS, a (N, T, ...) float16 array and its validity (N, T).
    """

    def __init__(self, arrays: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self._arrays = {name: values for name, (values, _) in arrays.items()}
        self._valid = {name: valid for name, (_, valid) in arrays.items()}

    def width(self, modality: str) -> int | None:
        """Channels of a modality's features, None if there are none."""
        found = [each for name, each in self._arrays.items() if INPUTS[name][0] == modality]
        return found[0].shape[-1] if found else None

    def read(self, rows: np.ndarray, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The features of some videos: (B, T, ...) float16 by input."""
        return {name: self._arrays[name][rows] for name in inputs}

    def valid(self, rows: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        """(B, T, K) bool, False where a clip is padding."""
        return np.stack([self._valid[name][rows] for name in inputs], axis=-1)


def cached_features(
    media: Sequence[Media], extractors: Mapping[str, Extractor], inputs: Sequence[str]
) -> FeatureArrays:
    """The features of usable videos that the cache of the extractors has, by modality."""
    chosen = {name: INPUTS[name] for name in inputs}
    return FeatureArrays({
        name: padded(media, extractors[modality], maps=layer == "maps")
        for name, (modality, layer) in chosen.items()
    })  # fmt: skip
