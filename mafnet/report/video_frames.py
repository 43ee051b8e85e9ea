"""Frames of videos to look at: one a second, small; a video that gives none says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mafnet.video.config import VideoSettings
from mafnet.video.decode import DecodeError, decode_frames
from mafnet.video.media import Media, read_media
from mafnet.video.status import Status

SIDE = 112
"""Pixels of a frame's side; it is squashed to a square and shown with the video's own aspect."""

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Frames:
    """One frame from the middle of every second that a video has, at most as many as asked for.

    pictures: (SIDE, SIDE, 3) uint8 RGB each. aspect: width by height as it is to be shown.
    problem: why there are none, empty if there are.
    """

    pictures: list[np.ndarray]
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
        """The frames of the first seconds; what cannot be decoded has a `problem` instead."""
        media = self._media.get(video)
        if media is None:
            return Frames([], problem="not in the media table")
        # The second of two frames a clip lies in its middle.
        settings = VideoSettings(
            clips=seconds, frames_per_clip=2, frame_size=SIDE, timeout_seconds=TIMEOUT_SECONDS
        )
        try:
            with decode_frames(self._root / video, media, settings) as clips:
                pictures = [clip[1] for clip in clips]
        except DecodeError as error:
            return Frames([], _aspect(media), problem=error.reason)
        return Frames(pictures, _aspect(media), "" if pictures else Status.UNDECODABLE)


def _aspect(media: Media) -> float:
    """Width by height as the rotation flag has it; extreme ones are cut to what can be shown."""
    if not media.width or not media.height:
        return 4 / 3
    aspect = media.width / media.height
    turned = (media.rotation or 0) % 180 == 90
    return min(max(1 / aspect if turned else aspect, 0.4), 2.5)
