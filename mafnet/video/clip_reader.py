"""Decodes the frames of clips, and no more of the file than it has to.

libav runs in separate processes with limits of memory and time, because a hostile file can crash
its decoders. PyAV seeks and decodes in those processes. A pipe to ffmpeg needs as much CPU time for
one clip, but decodes a video again for each of its clips at test (benchmarks/clips.py).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from mafnet.common.ffmpeg import MAX_PIXELS, file_url, input_options
from mafnet.video.isolate import Failure, Isolated
from mafnet.video.media import Media
from mafnet.video.packets import AHEAD_SECONDS, BACK_SECONDS
from mafnet.video.sampling import Clip
from mafnet.video.status import Status

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SEEK_SECONDS = 2.0
"""A gap between wanted times above this is skipped by seeking; below it, decoding is as fast."""

EARLY_SECONDS = 0.0005
"""A frame that starts this little after a time is the frame of this time: stamps are rounded."""

Size = tuple[int, int]
Wanted = Mapping[float, set[Size]]


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

    Call it in a process with limits, as `ClipReader` does.
    """
    import av

    wanted: dict[float, set[Size]] = {}
    for clip in clips:
        for time in clip.times:
            wanted.setdefault(time, set()).add((clip.height, clip.width))
    try:
        with av.logging.Capture(), av.open(file_url(path), options=input_options()) as file:
            frames = _frames(file, media, wanted)
    except MemoryError:  # PyAV's is an FFmpegError too
        return Failure(Status.OUT_OF_MEMORY, "the limit of memory is reached")
    except (av.FFmpegError, ValueError, IndexError) as error:
        return Failure(Status.UNDECODABLE, f"{type(error).__name__}: {error}")
    if not frames:
        return Failure(Status.UNDECODABLE, "no frame can be decoded")
    return [_cut(clip, frames) for clip in clips]


def _cut(clip: Clip, frames: Mapping[tuple[float, Size], np.ndarray]) -> np.ndarray:
    rows = slice(clip.top, clip.top + clip.side)
    columns = slice(clip.left, clip.left + clip.side)
    size = (clip.height, clip.width)
    cut = np.stack([frames[time, size][rows, columns] for time in clip.times])
    return cut[:, :, ::-1].copy() if clip.mirrored else cut


def _frames(
    file: "InputContainer", media: Media, wanted: Wanted
) -> dict[tuple[float, Size], np.ndarray]:
    """The frame of every time at every size; empty if nothing can be decoded."""
    stream = _stream(file, media)
    found: dict[tuple[float, Size], np.ndarray] = {}
    last: VideoFrame | None = None
    for times in _segments(sorted(wanted), media):
        shown = _Shown(times, wanted, media.rotation or 0, found)
        for seconds, frame in _decoded(file, stream, media, times[0]):
            shown.add(seconds, frame)
            last = frame
            if shown.complete:
                break
        shown.finish(last)
    return found if last else {}


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
    file: "InputContainer", stream: "VideoStream", media: Media, first: float
) -> Iterator[tuple[float, "VideoFrame"]]:
    """The frames in their order, with seconds from the container's start, from `first` or before.

    Packets that cannot be decoded are left out, as ffmpeg does.
    """
    begin = media.start_seconds or 0
    for early in (0.0, 5.0, None):  # None: from the start of the file
        _seek(file, stream, None if media.clock_offsets else early, begin, first)
        clock = _Clock(media.clock_offsets)
        frames = ((clock.seconds(frame) - begin, frame) for frame in _all_frames(file, stream))
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


def _all_frames(file: "InputContainer", stream: "VideoStream") -> Iterator["VideoFrame"]:
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
        except av.error.InvalidDataError:
            continue
        except av.FFmpegError:
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


class _Shown:
    """Collects the frame that a player shows at each of some times, in ascending order."""

    def __init__(
        self,
        times: list[float],
        wanted: Wanted,
        rotation: int,
        found: dict[tuple[float, Size], np.ndarray],
    ) -> None:
        self._times, self._wanted, self._found = times, wanted, found
        self._turns = rotation // 90 % 4
        self._next = 0
        self._frame: VideoFrame | None = None

    @property
    def complete(self) -> bool:
        """True if every time has its frame."""
        return self._next == len(self._times)

    def add(self, seconds: float, frame: "VideoFrame") -> None:
        """The next frame, which starts at `seconds`: the frame before it ends there."""
        until = bisect_right(self._times, seconds - EARLY_SECONDS, self._next)
        self._keep(until, self._frame or frame)
        self._frame = frame

    def finish(self, last: "VideoFrame | None") -> None:
        """The remaining times have the last frame."""
        self._keep(len(self._times), self._frame or last)

    def _keep(self, until: int, frame: "VideoFrame | None") -> None:
        times, self._next = self._times[self._next : until], until
        pixels: dict[Size, np.ndarray] = {}
        for time in times if frame else ():
            for size in self._wanted[time]:
                if size not in pixels:
                    pixels[size] = _scaled(frame, size, self._turns)
                self._found[time, size] = pixels[size]


def _scaled(frame: "VideoFrame", size: Size, turns: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB, turned as a player does."""
    import av

    height, width = size if turns % 2 == 0 else size[::-1]
    kinds = av.video.reformatter.Interpolation
    # The flags of the other decoding: without them the result differs between machines.
    exact = kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP | kinds.BITEXACT
    how = kinds.BILINEAR | exact
    scaled = frame.reformat(width, height, "rgb24", interpolation=how, threads=1)
    return np.rot90(scaled.to_ndarray(), turns)
