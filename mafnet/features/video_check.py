"""Checks a collection of videos: probes and decodes them, without a backbone."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.common.progress import Progress
from mafnet.dataset.locate import list_videos
from mafnet.dataset.manifest import read_manifest
from mafnet.features.decode_pool import Clip, decode_in_parallel
from mafnet.features.fingerprint import MODALITIES
from mafnet.features.media_table import merge_media
from mafnet.features.shard_report import Extracted
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.probe import PROBE_SECONDS, probe_many
from mafnet.video.status import MediaWarning

log = logging.getLogger(__name__)

CHECKED_SIZE = 32
"""Side of the frames in pixels; the size does not matter here, and small frames are faster."""


def find_videos(source: Path, root: Path | None) -> tuple[Path, list[str]]:
    """Root and videos of a folder, searched recursively, or of a manifest.

    root: folder of the manifest's paths; by default the folder of the manifest.
    MafnetError if no video is found.
    """
    if not source.is_dir():
        videos = {sample.video for sample in read_manifest(source)}
        return root or source.parent, sorted(videos)
    videos = list_videos(source).paths
    if not videos:
        raise MafnetError(f"{source}: no file in it has a suffix of a video; name another folder")
    log.info("%s: %d videos; other files are ignored", source, len(videos))
    return source, videos


def check_videos(
    root: Path, videos: Sequence[str], settings: VideoSettings, workers: int
) -> list[Media]:
    """Rows of the media table that a run would write, sorted by video."""
    settings = settings.model_copy(update={"frame_size": CHECKED_SIZE})
    probed = []
    progress = Progress("probe", len(videos), "videos", log)
    for row in probe_many(root, videos, workers, PROBE_SECONDS, settings.link_roots):
        probed.append(row)
        progress.advance()
    usable = [row for row in probed if row.ok]
    reports = {name: _decoded(usable, root, name, settings, workers) for name in MODALITIES}
    return merge_media(probed, reports, settings)


def write_fetch_list(media: Sequence[Media], path: Path) -> int:
    """Write the paths of failed or damaged videos, one a line; returns their number."""
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
    """Rows that an extraction would report."""
    clips: Counter[int] = Counter()
    progress = Progress(f"decode {modality}", len(media), "videos", log)
    for event in decode_in_parallel(media, root, modality, settings, workers):
        if isinstance(event, Clip):
            clips[event.video] += 1
            continue
        row, count = media[event.video], clips.pop(event.video, 0)
        messages = (event.warnings, event.error, event.error_lines, event.lost_frames)
        yield Extracted(row.video, row.sha256, count, event.status, *messages)
        progress.advance()
