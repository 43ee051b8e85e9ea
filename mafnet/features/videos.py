"""The features of any videos, named by their paths: probed, then extracted through the cache."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from mafnet.features.class_scores import Classifier
from mafnet.features.extract import Extractor
from mafnet.features.media_table import merge_media
from mafnet.features.pack import read_entry
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.probe import PROBE_SECONDS, probe_many

log = logging.getLogger(__name__)

HERE = Path()
ANYWHERE = (Path("/"),)
"""The user names each file, so that links may lead anywhere."""


@dataclass(frozen=True)
class FailedVideo:
    """A video that cannot be used. status: a name of Status. error: the reason, for people."""

    video: str
    status: str
    error: str


def probe_videos(paths: Sequence[str], workers: int) -> list[Media]:
    """The media row of each path, in their order."""
    with _main_hidden():
        return list(probe_many(HERE, paths, workers, PROBE_SECONDS, ANYWHERE))


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Processes that start meanwhile do not run the script of the user again.

    Otherwise multiprocessing would, and a script without `if __name__ == "__main__"` would fail.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def extract_videos(
    paths: Sequence[str], extractors: Iterable[Extractor], settings: VideoSettings, workers: int
) -> tuple[list[Media], list[FailedVideo]]:
    """The videos whose features are now in the cache, and those that failed; both in order.

    settings: `silent` and `max_lost_fraction` decide what is usable.
    """
    probed = probe_videos(paths, workers)
    reports = {each.name: each.extract(probed) for each in extractors}
    rows = {row.video: row for row in merge_media(probed, reports, settings)}
    usable, failed = [], []
    for path in paths:
        row = rows[path]
        if row.ok:
            usable.append(row)
        else:
            failed.append(FailedVideo(path, str(row.status), row.error or row.status.meaning))
            log.warning("%s: %s: %s", path, row.status, failed[-1].error)
    return usable, failed


def padded(
    media: Sequence[Media], extractor: Extractor, maps: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Features of videos of the cache: vectors (N, T, C) or maps (N, T, P, Q, C), float16.

    Besides valid (N, T), False where a clip is padding (zeros).
    """
    shape = extractor.spec.feature_shape if maps else extractor.spec.feature_shape[-1:]
    clips = extractor.video.clips
    values = np.zeros((len(media), clips, *shape), np.float16)
    valid = np.zeros((len(media), clips), bool)
    for row, item in enumerate(media):
        found = read_entry(item, extractor).clips
        values[row, : len(found)] = found if maps else extractor.spec.pooled(found)
        valid[row, : len(found)] = True
    return values, valid


def scored(media: Sequence[Media], extractor: Extractor, classifier: Classifier) -> np.ndarray:
    """Scores (N, T, K) float32 of the classes of the backbone; 0 where a clip is padding."""
    values = np.zeros((len(media), extractor.video.clips, len(classifier.names)), np.float32)
    for row, item in enumerate(media):
        clips = read_entry(item, extractor).clips
        values[row, : len(clips)] = classifier.scores(extractor.spec.pooled(clips))
    return values


def settings_of(fingerprint: Mapping) -> dict[str, dict]:
    """Settings of `extractor` that give features with this fingerprint (`Fingerprint.as_dict`)."""
    grid = dict(fingerprint["grid"])
    features = {key: fingerprint[key] for key in ("backbone", "weights", "precision", "backend")}
    video = {key: grid.pop(key) for key in list(grid) if key in VideoSettings.model_fields}
    return {"video": video, "features": features | grid}
