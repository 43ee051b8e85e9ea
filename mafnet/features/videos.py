"""The features of any videos, named by their paths: probed, then extracted through the cache."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mafnet.features.extract import Extractor
from mafnet.features.media_table import merge_media
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.probe import PROBE_SECONDS, probe_many

log = logging.getLogger(__name__)

ANYWHERE = (Path("/"),)
"""The user names each file, so that links may lead anywhere."""

HERE = Path()


def extract_videos(
    paths: Sequence[str], extractors: Iterable[Extractor], settings: VideoSettings, workers: int
) -> list[Media]:
    """One media row a path, in their order; the features of those that are `ok` are in the cache.

    settings: `silent` and `max_lost_fraction` decide what is usable.
    """
    probed = list(probe_many(HERE, paths, workers, PROBE_SECONDS, ANYWHERE))
    reports = {each.name: each.extract(probed) for each in extractors}
    rows = {row.video: row for row in merge_media(probed, reports, settings)}
    found = [rows[path] for path in paths]
    for row in found:
        if not row.ok:
            log.warning("%s: %s: %s", row.video, row.status, row.error or row.status.meaning)
    return found


def settings_of(fingerprint: Mapping) -> dict[str, dict]:
    """Settings of `extractor` that give features with this fingerprint (`Fingerprint.as_dict`)."""
    grid = dict(fingerprint["grid"])
    features = {key: fingerprint[key] for key in ("backbone", "weights", "precision", "backend")}
    video = {key: grid.pop(key) for key in list(grid) if key in VideoSettings.model_fields}
    return {"video": video, "features": features | grid}
