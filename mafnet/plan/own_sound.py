"""Which of people's own videos have an audio track without sound."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from mafnet.common.progress import Progress
from mafnet.video.clips import DecodeError
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_audio
from mafnet.video.media import Media
from mafnet.video.status import MediaWarning

log = logging.getLogger(__name__)


def soundless(root: Path, media: Sequence[Media], clips: int, threads: int) -> set[str]:
    """The videos whose audio is digital silence in their first `clips` seconds.

    media: rows of usable videos. Those without an audio track are not among the result.
    """
    tracks = [row for row in media if row.audio_codec]
    progress, found = Progress("listen", len(tracks), "videos", log), set()
    with ThreadPoolExecutor(threads) as pool:
        is_silent = partial(_is_silent, root, settings=VideoSettings(clips=clips))
        for row, silent in zip(tracks, pool.map(is_silent, tracks), strict=True):
            found |= {row.video} if silent else set()
            progress.advance()
    return found


def _is_silent(root: Path, media: Media, settings: VideoSettings) -> bool:
    try:
        with decode_audio(root / media.video, media, settings) as decoding:
            for _ in decoding:
                pass
            return MediaWarning.SILENT in decoding.warnings
    except DecodeError:  # the extraction reports it
        return False
