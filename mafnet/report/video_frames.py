"""Small frames of videos for figures and pages, one for each second."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mafnet.video.clips import DecodeError
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_frames
from mafnet.video.media import Media, read_media
from mafnet.video.status import Status

SIDE = 112
"""Width and height of a frame in pixels. It is shown in the video's aspect ratio."""

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Frames:
    """One frame from the middle of each second of a video, up to the requested number.

    images: (SIDE, SIDE, 3) uint8 RGB each. aspect: width divided by height of the
    shown frame. problem: the reason if there are no frames, else empty.
    """

    images: list[np.ndarray]
    aspect: float = 4 / 3
    problem: str = ""


class FrameReader:
    """Reads frames of a data set's videos.

    root: folder of the videos. media: the data set's media table.
    """

    def __init__(self, root: Path, media: Path) -> None:
        self._root = root
        self._media: Mapping[str, Media] = {row.video: row for row in read_media(media)}

    def frames(self, video: str, seconds: int) -> Frames:
        """The frames of the first seconds; `problem` is set if the video cannot be decoded."""
        media = self._media.get(video)
        if media is None:
            return Frames([], problem="not in the media table")
        # With two frames in each clip, the second one is from the middle.
        settings = VideoSettings(
            clips=seconds, frames_per_clip=2, frame_size=SIDE, timeout_seconds=TIMEOUT_SECONDS
        )
        try:
            with decode_frames(self._root / video, media, settings) as clips:
                images = [clip[1] for clip in clips]
        except DecodeError as error:
            return Frames([], _aspect(media), problem=error.reason)
        return Frames(images, _aspect(media), "" if images else Status.UNDECODABLE)


def _aspect(media: Media) -> float:
    """Width divided by height after rotation, limited to 0.4 to 2.5."""
    if not media.width or not media.height:
        return 4 / 3
    aspect = media.width / media.height
    turned = (media.rotation or 0) % 180 == 90
    return min(max(1 / aspect if turned else aspect, 0.4), 2.5)
