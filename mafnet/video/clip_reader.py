"""Decodes the frames of clips, and no more of the file than it has to.

libav runs in separate processes with limits of memory and time, because a hostile file can crash
its decoders. PyAV seeks and decodes in those processes. A pipe to ffmpeg needs as much CPU time for
one clip, but decodes a video again for each of its clips at test (benchmarks/clips.py).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from mafnet.common.ffmpeg import MAX_PIXELS, file_url, input_options
from mafnet.video.isolate import Failure, Isolated
from mafnet.video.media import SHORT_SECONDS, Media
from mafnet.video.packets import AHEAD_SECONDS, BACK_SECONDS
from mafnet.video.sampling import Clip
from mafnet.video.shown import EARLY_SECONDS, Shown, Size, Wanted
from mafnet.video.status import Status

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SEEK_SECONDS = 2.0
"""A gap between wanted times above this is skipped by seeking; below it, decoding is as fast."""


class ClipReader:
    """Decodes clips in worker processes, in their order; use it as a context.

    workers: number of processes. timeout_seconds, memory_mb: limits for the clips of one video.
    """

    def __init__(self, workers: int, timeout_seconds: float, memory_mb: int) -> None:
        self._processes = Isolated(workers, timeout_seconds, memory_mb * 1_000_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._processes.close()

    def read(
        self, wanted: Iterable[tuple[Path, Media, Sequence[Clip]]]
    ) -> Iterator[list[np.ndarray] | Failure]:
        """The clips of each video, or why they cannot be decoded; see `read_clips`."""
        return self._processes.run(read_clips, wanted)


def read_clips(path: Path, media: Media, clips: Sequence[Clip]) -> list[np.ndarray] | Failure:
    """(T, side, side, 3) uint8 RGB of each clip; every frame is decoded and scaled once.

    If the decoder complains or ends early, a second decoding must give the same clips, else the
    failure is Status.INTERRUPTED. Call it in a process with limits, as `ClipReader` does.
    """
    found, doubtful = _read_once(path, media, clips)
    if not doubtful:
        return found
    again, doubtful = _read_once(path, media, clips)
    if not doubtful or _digest(found) == _digest(again):
        return again
    return Failure(Status.INTERRUPTED, "decoded twice, it gave different clips")


def _read_once(
    path: Path, media: Media, clips: Sequence[Clip]
) -> tuple[list[np.ndarray] | Failure, bool]:
    """The clips or a failure, and True if a passing fault of the machine may have changed it."""
    import av

    wanted: dict[float, set[Size]] = {}
    for clip in clips:
        for time in clip.times:
            wanted.setdefault(time, set()).add((clip.height, clip.width))
    complaints: list[Exception] = []
    try:
        with av.logging.Capture(), av.open(file_url(path), options=input_options()) as file:
            frames, complete = _frames(file, media, wanted, complaints)
    except MemoryError:  # PyAV's is an FFmpegError too
        return Failure(Status.OUT_OF_MEMORY, "the limit of memory is reached"), False
    except (av.FFmpegError, ValueError, IndexError) as error:
        return Failure(Status.UNDECODABLE, f"{type(error).__name__}: {error}"), True
    if not frames:
        return Failure(Status.UNDECODABLE, "no frame can be decoded"), True
    return [_cut(clip, frames) for clip in clips], bool(complaints) or not complete


def _digest(found: list[np.ndarray] | Failure) -> object:
    """Equal for equal clips, and for the same failure."""
    if isinstance(found, Failure):
        return found
    digest = hashlib.blake2b()
    for clip in found:
        digest.update(clip)
    return digest.digest()


def _cut(clip: Clip, frames: Mapping[tuple[float, Size], np.ndarray]) -> np.ndarray:
    rows = slice(clip.top, clip.top + clip.side)
    columns = slice(clip.left, clip.left + clip.side)
    size = (clip.height, clip.width)
    cut = np.stack([frames[time, size][rows, columns] for time in clip.times])
    return cut[:, :, ::-1].copy() if clip.mirrored else cut


def _frames(
    file: "InputContainer", media: Media, wanted: Wanted, complaints: list[Exception]
) -> tuple[dict[tuple[float, Size], np.ndarray], bool]:
    """The frame of every time at every size, empty if nothing can be decoded.

    And False if the stream ended before a wanted time at which the probe found packets.
    """
    stream = _stream(file, media)
    found: dict[tuple[float, Size], np.ndarray] = {}
    last: VideoFrame | None = None
    complete, end = True, (media.video_end_seconds or 0) - SHORT_SECONDS
    for times in _segments(sorted(wanted), media):
        shown = Shown(times, wanted, media.rotation or 0, found)
        for seconds, frame in _decoded(file, stream, media, times[0], complaints):
            shown.add(seconds, frame)
            last = frame
            if shown.complete:
                break
        complete &= shown.complete or times[-1] >= end
        shown.finish(last)
    return (found if last else {}), complete


def _stream(file: "InputContainer", media: Media) -> "VideoStream":
    """The video stream that the probe chose, with bounds for its decoder."""
    import av.stream

    cover = av.stream.Disposition.attached_pic
    stream = [each for each in file.streams.video if not each.disposition & cover][
        media.video_track
    ]
    if stream.codec_context is None:
        raise ValueError("the video codec is unknown")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_type = "NONE"
    return stream


def _segments(times: list[float], media: Media) -> Iterator[list[float]]:
    """Times that are decoded in one go. A file with several clocks has no times to seek to."""
    start = 0
    for index in range(1, len(times)):
        if times[index] - times[index - 1] > SEEK_SECONDS and not media.clock_offsets:
            yield times[start:index]
            start = index
    yield times[start:]


def _decoded(
    file: "InputContainer",
    stream: "VideoStream",
    media: Media,
    first: float,
    complaints: list[Exception],
) -> Iterator[tuple[float, "VideoFrame"]]:
    """The frames in their order, with seconds from the container's start, from `first` or before.

    Packets that cannot be decoded are left out, as ffmpeg does.
    """
    begin = media.start_seconds or 0
    for early in (0.0, 5.0, None):  # None: from the start of the file
        _seek(file, stream, None if media.clock_offsets else early, begin, first)
        clock = _Clock(media.clock_offsets)
        decoded = _all_frames(file, stream, complaints)
        frames = ((clock.seconds(frame) - begin, frame) for frame in decoded)
        head = next(frames, None)
        if head and (head[0] <= first + EARLY_SECONDS or early is None or media.clock_offsets):
            yield head
            yield from frames
            return


def _seek(
    file: "InputContainer", stream: "VideoStream", early: float | None, begin: float, first: float
) -> None:
    import av

    target = begin if early is None else max(begin + first - early, begin)
    try:
        file.seek(round(target / stream.time_base), stream=stream, backward=True)
    except av.FFmpegError:
        if early is None:
            file.seek(0)


def _all_frames(
    file: "InputContainer", stream: "VideoStream", complaints: list[Exception]
) -> Iterator["VideoFrame"]:
    """All frames that can be decoded from here on; each has a `pts`."""
    import av

    packets, stated = file.demux(stream), file.format.name != "avi"
    last = None
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            for frame in packet.decode():
                if not stated:
                    _stamp(frame, last)
                if frame.pts is not None:
                    last = frame.pts
                    yield frame
        except av.error.InvalidDataError as error:
            complaints.append(error)
        except av.FFmpegError as error:
            complaints.append(error)
            return
        except IndexError:  # PyAV's, at the end of a file in which streams appear late
            return


def _stamp(frame: "VideoFrame", before: int | None) -> None:
    """Set `pts` of a frame of an AVI file, whose packets are numbered in the order of decoding.

    The libraries of ffmpeg guess `pts` from these numbers, and their versions differ by a frame.
    The ffmpeg command takes the numbers as they are; so does the other decoding (`decode`). Frames
    that the decoder still holds at the end of the file have none. before: pts of the frame before.
    """
    following = None if before is None else before + 1
    frame.pts = following if frame.dts is None else frame.dts


class _Clock:
    """Seconds of frames where the file's clock jumps or restarts; see `Media.clock_offsets`."""

    def __init__(self, offsets: Sequence[str]) -> None:
        self._offsets = [0.0, *map(float, offsets)]
        self._number = 0
        self._before: float | None = None
        self._repaired = 0.0

    def seconds(self, frame: "VideoFrame") -> float:
        now = float(frame.pts * frame.time_base)
        step = 0.0 if self._before is None else now - self._before
        self._before = now
        if step > AHEAD_SECONDS or step < -BACK_SECONDS:
            # A long step ahead may also be a still frame; a step back is a new clock.
            later = range(self._number + (step < 0), len(self._offsets))
            far = lambda number: abs(now + self._offsets[number] - self._repaired)  # noqa: E731
            self._number = min(later, key=far, default=self._number)
        self._repaired = now + self._offsets[self._number]
        return self._repaired
