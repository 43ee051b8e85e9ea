"""Reads the properties of a video file: one row of the media table for any file."""

import errno
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mafnet.common.ffmpeg import MAX_PIXELS, file_url, input_options
from mafnet.common.files import sha256_of
from mafnet.dataset.locate import lies_in
from mafnet.video.durations import with_packets
from mafnet.video.interruptions import of_the_machine
from mafnet.video.isolate import Failure, run_isolated
from mafnet.video.media import SHORT_SECONDS, Media
from mafnet.video.packets import Packets, read_packets
from mafnet.video.status import MediaWarning, Status
from mafnet.video.unread import has_unread_end

if TYPE_CHECKING:
    from av import FFmpegError
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

PROBE_SECONDS = 60.0
"""Time after which probing one file is stopped."""

_CONTAINER_UNIT = Fraction(1, 1_000_000)

HDR = {16: "smpte2084", 18: "arib-std-b67"}
"""ffmpeg's names of the transfer functions PQ and HLG, by their numbers in ITU-T H.273."""

_FIRST_PACKETS = 50
"""Packets that are decoded at most to find the first frame, which states the rotation."""


def probe(
    path: Path, video: str, root: Path | None = None, link_roots: Iterable[Path] = ()
) -> Media:
    """The media row of one file, with the name `video`; never an exception about the file.

    root: folder that links must not leave (Status.OUTSIDE_ROOT), except to the `link_roots`.
    A doubtful row is confirmed by a second one. If that differs and is doubtful too, the status is
    Status.INTERRUPTED.
    """
    roots = (root, *link_roots) if root else ()
    first, doubtful = _probe_once(path, video, roots)
    if not doubtful:
        return first
    second, doubtful = _probe_once(path, video, roots)
    if not doubtful or second == first:
        return second
    return replace(second, status=Status.INTERRUPTED, error=f"{first.error}; {second.error}")


def _probe_once(path: Path, video: str, roots: Sequence[Path]) -> tuple[Media, bool]:
    """The media row, and True if a passing fault of the machine may have changed it."""
    media = Media(video)
    try:
        if roots and not lies_in(path, roots):
            target = os.path.realpath(path)
            outside = f"a link leads to {target}; name a folder above it in video.link_roots"
            return replace(media, status=Status.OUTSIDE_ROOT, error=outside), False
        found = path.stat()
        media = replace(media, size_bytes=found.st_size, mtime_ns=found.st_mtime_ns)
        if not stat.S_ISREG(found.st_mode):
            return replace(media, status=Status.NOT_A_FILE), False
        if not found.st_size:
            return replace(media, status=Status.EMPTY), False
        return _opened(path, replace(media, sha256=sha256_of(path)))
    except (FileNotFoundError, NotADirectoryError):
        return replace(media, status=Status.MISSING), False
    except (OSError, ValueError) as error:  # ValueError: an impossible name of a file
        status = Status.INTERRUPTED if of_the_machine(error) else Status.UNREADABLE
        return replace(media, status=status, error=str(error)), True
    except MemoryError:
        return replace(media, status=Status.OUT_OF_MEMORY), True
    except Exception as error:
        log.exception("probe: %s", video)
        reason = f"{type(error).__name__}: {error}"
        return replace(media, status=Status.CRASHED, error=reason), True


def probe_many(
    root: Path,
    videos: Iterable[str],
    workers: int,
    timeout_seconds: float,
    link_roots: Iterable[str | Path] = (),
) -> Iterator[Media]:
    """The media rows of videos below a root, in their order, probed in separate processes.

    A file that twice kills its process or takes too long is a row too: status crashed, timeout, or
    interrupted if the signal came from outside.
    """
    videos = list(videos)
    calls = [(root / video, video, root, tuple(map(Path, link_roots))) for video in videos]
    results = run_isolated(probe, calls, workers, timeout_seconds)
    for call, result in zip(calls, results, strict=True):
        if isinstance(result, Failure):
            (result,) = run_isolated(probe, [call], 1, timeout_seconds)
        if isinstance(result, Failure):
            yield Media(call[1], status=result.reason, error=result.message)
        else:
            yield result


def _opened(path: Path, media: Media) -> tuple[Media, bool]:
    import av

    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # else errors have no message of the demuxer
    av.logging.set_skip_repeated(False)  # else the same message about a second file is lost
    try:
        # Captured, because the messages belong in the row and not in the log.
        with av.logging.Capture() as messages, _open(path) as file:
            streams = [stream for stream in _streams(file) if stream.codec_context]
            packets = read_packets(file, streams)
            packets.complete &= not messages
        with av.logging.Capture(), _open(path) as file:
            row = _described(file, packets, media)
            if row.ok and has_unread_end(path, row.container, packets, media.size_bytes):
                row = replace(row, warnings=(*row.warnings, MediaWarning.UNREAD))
            return row, not packets.complete
    except av.FFmpegError as error:
        status = Status.OUT_OF_MEMORY if error.errno == errno.ENOMEM else Status.UNREADABLE
        return replace(media, status=status, error=_message(error)), True
    finally:
        av.logging.set_level(level)


def _open(path: Path) -> "InputContainer":
    import av

    return av.open(file_url(path), options=input_options())


def _streams(file: "InputContainer") -> list["Stream"]:
    """The video streams, without covers, and the audio streams."""
    return [stream for stream in file.streams.video if not _is_cover(stream)] + [
        *file.streams.audio
    ]


def _described(file: "InputContainer", packets: Packets, media: Media) -> Media:
    media = replace(media, **_container(file))
    videos = [stream for stream in _streams(file) if stream.type == "video"]
    if not videos:
        return replace(media, status=Status.NO_VIDEO)
    usable = [stream for stream in videos if stream.codec_context]
    if not usable:
        return replace(media, status=Status.UNDECODABLE, error="the video codec is unknown")
    start = media.start_seconds or 0
    sounding = [stream for stream in file.streams.audio if _has_audio(stream, packets, start)]
    video = max(usable, key=lambda stream: _video_rank(stream, packets))
    audio = max(sounding, key=_is_default, default=None)
    media = replace(media, **_video(video), video_track=videos.index(video))
    if audio:
        track = list(file.streams.audio).index(audio)
        media = replace(media, **_audio(audio), audio_track=track)
    media = with_packets(media, packets, video.index, audio.index if audio else None)
    if media.width * media.height > MAX_PIXELS:
        return replace(media, status=Status.TOO_LARGE, error=f"{media.width}x{media.height} pixels")
    gap = audio is not None and audio.index in packets.tracks and packets.tracks[audio.index].gap
    odd = {
        MediaWarning.NO_AUDIO: not audio,
        MediaWarning.SEVERAL_VIDEO_TRACKS: len(videos) > 1,
        MediaWarning.SEVERAL_AUDIO_TRACKS: len(file.streams.audio) > 1,
        MediaWarning.NO_DURATION: media.duration_seconds is None,
        MediaWarning.GAP: bool(media.clock_offsets) or gap,
    }
    warnings = tuple(name for name, present in odd.items() if present)
    frame = _first_frame(file, video)
    rotation = None if frame is None else frame.rotation % 360
    if frame and not media.width:  # unknown before the first frame is decoded
        media = replace(media, width=frame.width, height=frame.height)
    return _late(replace(media, rotation=rotation, warnings=warnings), frame)


def _has_audio(stream: "AudioStream", packets: Packets, start: float) -> bool:
    """True if a decoder exists and the stream has packets that end after the container's start."""
    if not stream.codec_context:
        return False
    track = packets.tracks.get(stream.index)
    return track.end > start if track else not packets.complete


def _video_rank(stream: "VideoStream", packets: Packets) -> tuple[bool, bool, int]:
    """Players prefer moving streams, then the default stream, then the largest frames."""
    track = packets.tracks.get(stream.index)
    moving = track is not None and track.packets > 1
    return moving, _is_default(stream), stream.width * stream.height


def _is_default(stream: "Stream") -> bool:
    import av.stream

    return bool(stream.disposition & av.stream.Disposition.default)


def _container(file: "InputContainer") -> dict[str, Any]:
    name, start, duration = file.format.name, file.start_time, file.duration
    # Matroska states the end of the file, counted from 0; other containers state the length.
    if "matroska" in name and duration is not None and start is not None:
        duration -= start
    return {
        "container": name,
        "duration_seconds": _seconds(duration, _CONTAINER_UNIT),
        "start_seconds": _seconds(start, _CONTAINER_UNIT),
    }


def _video(stream: "VideoStream") -> dict[str, Any]:
    return {
        "video_codec": _codec(stream),
        "width": stream.width,
        "height": stream.height,
        "frame_rate": _rounded(stream.average_rate),
        "hdr": HDR.get(stream.codec_context.color_trc or 0, ""),
        "video_start_seconds": _seconds(stream.start_time, stream.time_base),
        "video_duration_seconds": _seconds(stream.duration, stream.time_base),
    }


def _audio(stream: "AudioStream") -> dict[str, Any]:
    return {
        "audio_codec": _codec(stream),
        "audio_channels": stream.channels,
        "audio_rate": stream.rate,
        "audio_start_seconds": _seconds(stream.start_time, stream.time_base),
        "audio_duration_seconds": _seconds(stream.duration, stream.time_base),
    }


def _codec(stream: "Stream") -> str:
    """Name of the codec; "unknown" if there is no decoder for it."""
    return stream.codec_context.name if stream.codec_context else "unknown"


def _is_cover(stream: "VideoStream") -> bool:
    """True for a cover image, which ffmpeg counts as a video stream."""
    import av.stream

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _first_frame(file: "InputContainer", stream: "VideoStream") -> "VideoFrame | None":
    """The first frame; it states the rotation, which PyAV knows only for decoded frames."""
    import av

    stream.thread_type = "NONE"
    try:
        for packet in islice(file.demux(stream), _FIRST_PACKETS):
            for frame in packet.decode():
                return frame
    except av.FFmpegError:
        return None
    return None


def _late(media: Media, frame: "VideoFrame | None") -> Media:
    """A warning if the first packets give no frame: a cut recording, or its codec changes.

    Decoders drop such packets, some without a message.
    """
    if frame is None:
        late = (media.video_packets or 0) > _FIRST_PACKETS
    elif frame.time is None or media.video_start_seconds is None:
        late = False
    else:
        late = frame.time - media.video_start_seconds > SHORT_SECONDS
    if not late:
        return media
    warnings = (*media.warnings, MediaWarning.DECODER_ERRORS)
    return replace(media, warnings=warnings, error="the first frames are missing", error_lines=1)


def _seconds(ticks: int | None, unit: Fraction | None) -> float | None:
    return None if ticks is None or unit is None else _rounded(ticks * unit)


def _rounded(value: Fraction | None) -> float | None:
    """To the microsecond, ffmpeg's resolution, so that tables contain no endless fractions."""
    return None if value is None else round(float(value), 6)


def _message(error: "FFmpegError") -> str:
    """The demuxer's last message, if there is one, and the name of the error."""
    message = error.log[2].strip() if error.log else ""
    return "; ".join(filter(None, (message, error.strerror)))
