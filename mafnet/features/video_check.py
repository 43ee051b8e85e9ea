"""Checks a collection of videos before any work: probes and decodes them, without a backbone."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.common.progress import Progress
from mafnet.dataset.manifest import read_manifest
from mafnet.features.decode_pool import Clip, decode_in_parallel
from mafnet.features.fingerprint import MODALITIES
from mafnet.features.media_table import merge_media
from mafnet.features.shard_report import Extracted
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.probe import probe_many
from mafnet.video.status import MediaWarning

log = logging.getLogger(__name__)

SUFFIXES = (
    ".3gp", ".asf", ".avi", ".dv", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogg", ".ogv", ".rm", ".ts", ".vob", ".webm", ".wmv",
)  # fmt: skip
"""Endings of names that are taken for videos where a folder is searched."""

PROBE_SECONDS = 60.0
CHECKED_SIZE = 32
"""Side of the frames; how large they are scaled does not matter here, and small is quicker."""


def find_videos(place: Path, root: Path | None) -> tuple[Path, list[str]]:
    """The root and the videos of a folder, searched to its depth, or of a manifest.

    root: of the manifest's paths; its own folder if None. MafnetError if there is no video.
    """
    if not place.is_dir():
        videos = {sample.video for sample in read_manifest(place)}
        return root or place.parent, sorted(videos)
    files = [Path(folder, name) for folder, _, names in os.walk(place) for name in names]
    videos = sorted(
        file.relative_to(place).as_posix() for file in files if file.suffix.lower() in SUFFIXES
    )
    if not videos:
        raise MafnetError(f"{place}: no file below it is named like a video; name another folder")
    log.info(
        "%s: %d videos, %d other files left aside", place, len(videos), len(files) - len(videos)
    )
    return place, videos


def check_videos(
    root: Path, videos: Sequence[str], settings: VideoSettings, workers: int
) -> list[Media]:
    """The rows that the media table would have, sorted by video."""
    settings = settings.model_copy(update={"frame_size": CHECKED_SIZE})
    probed = []
    progress = Progress("probe", len(videos), "videos", log)
    for row in probe_many(root, videos, workers, PROBE_SECONDS):
        probed.append(row)
        progress.advance()
    usable = [row for row in probed if row.ok]
    reports = {name: _decoded(usable, root, name, settings, workers) for name in MODALITIES}
    return merge_media(probed, reports, settings)


def write_fetch_list(media: Sequence[Media], path: Path) -> int:
    """Write the videos that failed or are damaged, a path a line; returns how many."""
    videos = [
        row.video for row in media if row.failed or MediaWarning.DECODER_ERRORS in row.warnings
    ]
    with replacing(path) as beside:
        text = "".join(f"{video}\n" for video in videos)
        beside.write_text(text, encoding="utf-8", errors="surrogateescape")
    return len(videos)


def _decoded(
    media: Sequence[Media], root: Path, modality: str, settings: VideoSettings, workers: int
) -> Iterator[Extracted]:
    """What an extraction would report of each video."""
    clips: Counter[int] = Counter()
    progress = Progress(f"decode {modality}", len(media), "videos", log)
    for event in decode_in_parallel(media, root, modality, settings, workers):
        if isinstance(event, Clip):
            clips[event.video] += 1
            continue
        row, count = media[event.video], clips.pop(event.video, 0)
        said = (event.warnings, event.error, event.error_lines)
        yield Extracted(row.video, row.sha256, count, event.status, *said)
        progress.advance()
