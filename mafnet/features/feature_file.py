"""Feature files: what training reads, one row a video, contiguous and memory-mappable.

{modality}.h5, and visual_maps.h5 where a variant reads the visual maps
    pooled   (N, T, C)        float16, mean over the spatial positions; visual only
    maps     (N, T, H, W, C)  float16; in audio.h5 and visual_maps.h5
    valid    (N, T)           bool, False where the clip is padding (zeros)
    videos   (N,)             the videos' paths, sorted
    attribute `fingerprint`   JSON, everything that decides the values

`features.pack` writes them; this module reads them and imports nothing that decodes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mafnet.common.errors import MafnetError


@dataclass(frozen=True)
class FeatureFile:
    """An open feature file.

    layers: memory-mapped arrays by name ("pooled", "maps", "valid").
    rows: the row of each video.
    """

    path: Path
    fingerprint: dict
    layers: dict[str, np.ndarray]
    rows: dict[str, int]


def open_features(path: Path) -> FeatureFile:
    """Open a feature file; its arrays stay on disk until they are read."""
    try:
        with h5py.File(path, "r") as file:
            videos = file["videos"].asstr()[()]
            fingerprint = json.loads(file.attrs["fingerprint"])
            names = [name for name in ("pooled", "maps", "valid") if name in file]
            layers = {name: _mapped(path, file[name]) for name in names}
    except (OSError, KeyError, ValueError) as error:
        raise MafnetError(
            f"{path}: is not a feature file ({error}); delete it to have it packed again"
        ) from error
    return FeatureFile(path, fingerprint, layers, {video: row for row, video in enumerate(videos)})


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    """A contiguous dataset as a memory map."""
    offset = dataset.id.get_offset()
    if offset is None:
        return dataset[()]
    return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
