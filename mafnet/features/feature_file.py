"""Feature files: what training reads, one row a video, contiguous and memory-mappable.

{modality}.h5, and visual_maps.h5 where a variant reads the visual maps
    pooled   (N, T, C)        float16, mean over the spatial positions; visual only
    maps     (N, T, H, W, C)  float16; in audio.h5 and visual_maps.h5
    valid    (N, T)           bool, False where the clip is padding (zeros)
    videos   (N,)             the videos' paths, sorted
    checksums (N, layers)     uint32, CRC-32 of each row of the layers; none in older files
    attribute `fingerprint`   JSON, everything that decides the values

`features.pack` writes them; this module reads them and imports nothing that decodes.
"""

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.features.hdf5 import CHECKSUMS, require_layout


@dataclass(frozen=True)
class FeatureFile:
    """An open feature file.

    layers: memory-mapped arrays by name ("pooled", "maps", "valid").
    rows: the row of each video.
    checksums: (N,) of the rows of each layer; empty if the file has none.
    """

    path: Path
    fingerprint: dict
    layers: dict[str, np.ndarray]
    rows: dict[str, int]
    checksums: dict[str, np.ndarray]
    _checked: dict[str, np.ndarray] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin with no row checked."""
        checked = {name: np.zeros(len(each), bool) for name, each in self.checksums.items()}
        object.__setattr__(self, "_checked", checked)

    def read(self, layer: str, rows: np.ndarray) -> np.ndarray:
        """Some rows of a layer, (B, ...); MafnetError if one is damaged.

        Each row is checked when it is first read.
        """
        values = self.layers[layer][rows]
        if layer in self.checksums:
            checked = self._checked[layer]
            for index in np.flatnonzero(~checked[rows]):
                if zlib.crc32(values[index]) != self.checksums[layer][rows[index]]:
                    raise MafnetError(
                        f"{self.path}: row {rows[index]} of {layer} is damaged; delete the file "
                        "and run the same command again"
                    )
            checked[rows] = True
        return values


def open_features(path: Path) -> FeatureFile:
    """Open a feature file; its arrays stay on disk until they are read."""
    try:
        require_layout(path)
        with h5py.File(path, "r") as file:
            videos = file["videos"].asstr()[()]
            fingerprint = json.loads(file.attrs["fingerprint"])
            names = [name for name in ("pooled", "maps", "valid") if name in file]
            layers = {name: _mapped(path, file[name]) for name in names}
            checksums = _checksums(file)
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise MafnetError(
            f"{path}: is not a feature file ({error}); delete it to have it packed again"
        ) from error
    rows = {video: row for row, video in enumerate(videos)}
    return FeatureFile(path, fingerprint, layers, rows, checksums)


def _checksums(file: h5py.File) -> dict[str, np.ndarray]:
    """The checksums of the rows of each layer; empty if the file has none."""
    if CHECKSUMS not in file:
        return {}
    found = file[CHECKSUMS]
    return dict(zip(found.attrs["layers"], found[()].T, strict=True))


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    """A contiguous dataset as a memory map."""
    offset = dataset.id.get_offset()
    if offset is None:
        return dataset[()]
    return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
