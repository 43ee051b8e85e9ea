"""A frame of each second of some videos, as small JPEGs within the page."""

import io
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mafnet.report.frames import SIDE, FrameReader, Frames

QUALITY = 75


@dataclass(frozen=True)
class Thumbnails:
    """The frames of a video as data: URIs, one a second; `problem` says why there are none."""

    frames: tuple[str, ...] = ()
    problem: str = ""


def read_thumbnails(
    videos: Iterable[str], reader: FrameReader, seconds: int, workers: int
) -> dict[str, Thumbnails]:
    """The thumbnails of each video; a video that cannot be decoded has a problem instead."""
    names = list(dict.fromkeys(videos))
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda name: reader.frames(name, seconds), names)
        return {name: _thumbnails(frames) for name, frames in zip(names, found, strict=True)}


def _thumbnails(frames: Frames) -> Thumbnails:
    jpegs = tuple(jpeg(picture, frames.aspect) for picture in frames.pictures)
    return Thumbnails(jpegs, frames.problem)


def jpeg(frame: np.ndarray, aspect: float) -> str:
    """A squashed frame (SIDE, SIDE, 3) uint8 RGB in its own aspect, as a data: URI."""
    from PIL import Image

    size = max(1, round(SIDE * min(1, aspect))), max(1, round(SIDE * min(1, 1 / aspect)))
    written = io.BytesIO()
    Image.fromarray(frame).resize(size).save(written, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + b64encode(written.getvalue()).decode()
