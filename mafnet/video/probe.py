"""What a video file says of itself: one row of the media table a file, whatever the file is."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mafnet.common.ffmpeg import MAX_PIXELS, file_url, input_options
from mafnet.common.files import sha256_of
from mafnet.video.isolate import Failure, run_isolated
from mafnet.video.media import Media
from mafnet.video.status import MediaWarning, Status

if TYPE_CHECKING:
    from av import FFmpegError
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_CONTAINER_UNIT = Fraction(1, 1_000_000)

_ROTATION_PACKETS = 50
"""Packets within which the first whole frame is looked for, which tells the rotation."""


def probe(path: Path, video: str, root: Path | None = None) -> Media:
    """The media row of one file, named `video` in it; a file that cannot be used is no exception.

    root: folder that links may not lead out of (Status.OUTSIDE_ROOT); it may itself be a link.
    """
    media = Media(video)
    try:
        if root and not _lies_in(path, root):
            target = os.path.realpath(path)
            return replace(media, status=Status.OUTSIDE_ROOT, error=f"a link leads to {target}")
        found = path.stat()
        media = replace(media, size_bytes=found.st_size, mtime_ns=found.st_mtime_ns)
        if not stat.S_ISREG(found.st_mode):
            return replace(media, status=Status.NOT_A_FILE)
        if not found.st_size:
            return replace(media, status=Status.EMPTY)
        return _opened(path, replace(media, sha256=sha256_of(path)))
    except (FileNotFoundError, NotADirectoryError):
        return replace(media, status=Status.MISSING)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        return replace(media, status=Status.UNREADABLE, error=str(error))


def probe_many(
    root: Path, videos: Iterable[str], workers: int, timeout_seconds: float
) -> Iterator[Media]:
    """The media rows of videos below a root, in their order, probed in processes of their own.

    A file over which a process dies or takes too long is a row too: status crashed or timeout.
    """
    videos = list(videos)
    calls = [(root / video, video, root) for video in videos]
    results = run_isolated(probe, calls, workers, timeout_seconds)
    for video, result in zip(videos, results, strict=True):
        if isinstance(result, Failure):
            yield Media(video, status=result.reason, error=result.message)
        else:
            yield result


def _lies_in(path: Path, root: Path) -> bool:
    """True if a path, all links followed, is below a root; False too for links in a circle."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _opened(path: Path, media: Media) -> Media:
    import av

    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # else errors come without the demuxer's message
    try:
        # Captured, because the messages belong into the row and not into the log.
        with av.logging.Capture(), av.open(file_url(path), options=input_options()) as file:
            return _described(file, media)
    except av.FFmpegError as error:
        return replace(media, status=Status.UNREADABLE, error=_message(error))
    finally:
        av.logging.set_level(level)


def _described(file: "InputContainer", media: Media) -> Media:
    media = replace(media, **_container(file))
    pictures = [stream for stream in file.streams.video if not _is_cover(stream)]
    if not pictures:
        return replace(media, status=Status.NO_VIDEO)
    sounds = file.streams.audio
    media = replace(media, **_picture(pictures[0]), **(_sound(sounds[0]) if sounds else {}))
    if media.width * media.height > MAX_PIXELS:
        return replace(media, status=Status.TOO_LARGE, error=f"{media.width}x{media.height} pixels")
    odd = {
        MediaWarning.NO_AUDIO: not sounds,
        MediaWarning.SEVERAL_AUDIO_TRACKS: len(sounds) > 1,
        MediaWarning.NO_DURATION: media.duration_seconds is None,
    }
    warnings = tuple(name for name, holds in odd.items() if holds)
    return replace(media, rotation=_rotation(file, pictures[0]), warnings=warnings)


def _container(file: "InputContainer") -> dict[str, Any]:
    name, start, duration = file.format.name, file.start_time, file.duration
    # Matroska states where the file ends, counted from 0; others how long it lasts.
    if "matroska" in name and duration is not None and start is not None:
        duration -= start
    return {
        "container": name,
        "duration_seconds": _seconds(duration, _CONTAINER_UNIT),
        "start_seconds": _seconds(start, _CONTAINER_UNIT),
    }


def _picture(stream: "VideoStream") -> dict[str, Any]:
    return {
        "video_codec": _codec(stream),
        "width": stream.width,
        "height": stream.height,
        "frame_rate": _rounded(stream.average_rate),
        "video_start_seconds": _seconds(stream.start_time, stream.time_base),
        "video_duration_seconds": _seconds(stream.duration, stream.time_base),
    }


def _sound(stream: "AudioStream") -> dict[str, Any]:
    return {
        "audio_codec": _codec(stream),
        "audio_channels": stream.channels,
        "audio_rate": stream.rate,
        "audio_start_seconds": _seconds(stream.start_time, stream.time_base),
        "audio_duration_seconds": _seconds(stream.duration, stream.time_base),
    }


def _codec(stream: "Stream") -> str:
    """The codec's name; "unknown" where this ffmpeg has no decoder for it."""
    return stream.codec_context.name if stream.codec_context else "unknown"


def _is_cover(stream: "VideoStream") -> bool:
    """True for a picture that music players show; ffmpeg numbers it among the video streams."""
    import av.stream

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _rotation(file: "InputContainer", stream: "VideoStream") -> int | None:
    """Degrees, counter-clockwise, by which a player turns the picture; None if no frame says.

    PyAV tells it of a decoded frame only.
    """
    import av

    stream.thread_type = "NONE"
    try:
        for packet in islice(file.demux(stream), _ROTATION_PACKETS):
            for frame in packet.decode():
                return frame.rotation % 360
    except av.FFmpegError:
        return None
    return None


def _seconds(ticks: int | None, unit: Fraction | None) -> float | None:
    return None if ticks is None or unit is None else _rounded(ticks * unit)


def _rounded(value: Fraction | None) -> float | None:
    """To the microsecond, ffmpeg's own resolution, so that tables hold no endless fractions."""
    return None if value is None else round(float(value), 6)


def _message(error: "FFmpegError") -> str:
    """The demuxer's last message, if it left one, and what the error is called."""
    said = error.log[2].strip() if error.log else ""
    return "; ".join(filter(None, (said, error.strerror)))
