"""A frame of each second of some videos, as small JPEGs inside the page."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mafnet.report.jpeg import jpeg_uri
from mafnet.report.video_frames import SIDE, FrameReader, Frames

QUALITY = 75


@dataclass(frozen=True)
class FrameStrip:
    """The frames of one video as data: URIs, one for each second.

    problem: the reason if there are no frames, else empty.
    """

    frames: tuple[str, ...] = ()
    problem: str = ""


def read_strips(
    videos: Iterable[str], reader: FrameReader, seconds: int, workers: int
) -> dict[str, FrameStrip]:
    """A strip for each video; a video that cannot be decoded has a `problem`."""
    names = list(dict.fromkeys(videos))
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda name: reader.frames(name, seconds), names)
        return {name: _strip(frames) for name, frames in zip(names, found, strict=True)}


def _strip(frames: Frames) -> FrameStrip:
    uris = tuple(jpeg(image, frames.aspect) for image in frames.images)
    return FrameStrip(uris, frames.problem)


def jpeg(frame: np.ndarray, aspect: float) -> str:
    """A square frame (SIDE, SIDE, 3) uint8 RGB as a data: URI, in the video's aspect ratio."""
    size = max(1, round(SIDE * min(1, aspect))), max(1, round(SIDE * min(1, 1 / aspect)))
    return jpeg_uri(Image.fromarray(frame).resize(size), QUALITY)
