"""Writes feature files (format: `features.feature_file`) from the cache."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.common.progress import Progress
from mafnet.features.cache import DamagedEntryError, Entry
from mafnet.features.extract import Extractor
from mafnet.features.hdf5 import Layer, new_hdf5
from mafnet.video.media import Media
from mafnet.video.status import Status

log = logging.getLogger(__name__)


def pack(media: Sequence[Media], extractor: Extractor, path: Path, maps: bool) -> None:
    """Write the feature file of one modality from the cache.

    Missing and damaged entries are extracted again. One video is in memory at a time.
    """
    if not media:
        raise MafnetError(f"{path}: no usable video; the media table names the reasons")
    arrays = _arrays(len(media), extractor, maps)

    def describe(file: h5py.File) -> None:
        file.attrs["fingerprint"] = json.dumps(extractor.cache.fingerprint.as_dict())
        file["videos"] = [row.video for row in media]

    with replacing(path) as beside, new_hdf5(beside, describe, arrays) as layers:
        progress = Progress(f"pack {extractor.name}", len(media), "videos", log)
        for row, item in enumerate(media):
            _fill(layers, row, read_entry(item, extractor), extractor.spec.pooled)
            progress.advance()


def _arrays(videos: int, extractor: Extractor, maps: bool) -> dict[str, tuple[tuple, type]]:
    """Shape and type of every layer, by name."""
    shape = (videos, extractor.video.clips)
    feature_shape = extractor.spec.feature_shape
    arrays = {"valid": (shape, bool)}
    if extractor.name == "visual":
        arrays["pooled"] = ((*shape, feature_shape[-1]), np.float16)
    if maps:
        arrays["maps"] = ((*shape, *feature_shape), np.float16)
    return arrays


def _fill(
    layers: dict[str, Layer],
    row: int,
    entry: Entry,
    pooled: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Write one video's row."""
    layers["valid"].write(row, np.ones(len(entry.clips), bool))
    if "maps" in layers:
        layers["maps"].write(row, entry.clips)
    if "pooled" in layers:
        layers["pooled"].write(row, pooled(entry.clips))


def read_entry(media: Media, extractor: Extractor) -> Entry:
    """Entry of a video, extracted again if it is missing or damaged."""
    try:
        return _fitting(extractor.cache.read(media.sha256), media, extractor)
    except DamagedEntryError as error:
        log.warning("%s; extracting %s again", error, media.video)
    extractor.cache.discard(media.sha256)
    (row,) = extractor.extract([media])
    if row.status != Status.OK:
        raise MafnetError(
            f"{media.video}: its features are missing in the cache and it cannot be extracted "
            f"again ({row.status}: {row.error}); rerun with --forcerun probe"
        )
    return extractor.cache.read(media.sha256)


def _fitting(entry: Entry, media: Media, extractor: Extractor) -> Entry:
    """The entry; DamagedEntryError if its clips would not fit into a row."""
    clips, *shape = entry.clips.shape
    if tuple(shape) != tuple(extractor.spec.feature_shape) or clips > extractor.video.clips:
        path = extractor.cache.path(media.sha256)
        raise DamagedEntryError(f"{path}: has {clips} clips of the shape {shape}")
    return entry
