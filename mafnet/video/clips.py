"""Runs the decoder of one stream, cuts its output into clips, and finds the faults of the video."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from mafnet.video.config import VideoSettings
from mafnet.video.interruptions import from_outside
from mafnet.video.media import SHORT_SECONDS, Media
from mafnet.video.pipe import Pipe
from mafnet.video.status import MediaWarning, Status
from mafnet.video.timed_pipe import TimedPipe

OVERHANG_SECONDS = 0.1
"""The part of a stream in its last second must be longer than this to give one more clip.

Codecs pad: AAC fills its last frame of 1,024 samples, and 90 frames at 29.97 a second end at
3.003 s. The first clip has no minimum: a video of one frame has one clip.
"""

SILENT_PEAK = 3
"""Largest amplitude of silence, of 32768: -80 dBFS. Encoders and dither leave a little noise."""

_FORMAT_CHANGED = b"Changing audio frame properties on the fly"
"""ffmpeg's message when the rate or the channels of an audio stream change."""

_NO_MEMORY = (
    b"Cannot allocate memory",
    b"Could not allocate memory",
    b"get_buffer() failed",
    b"pthread_create() failed",
    b"failed to map segment",
)
"""Messages of ffmpeg, libavcodec and the loader when the memory limit is reached."""

_STOPPED = 255
"""Exit status of ffmpeg after a signal that it handles (SIGTERM, SIGINT, SIGXCPU, SIGQUIT)."""


class DecodeError(Exception):
    """A video that gives no features; `message` is the decoder's error text."""

    def __init__(self, reason: Status, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True)
class Stream:
    """One kind of stream: the shape of a clip, whose first axis is time, and its warning if short.

    still_until: end of the file in seconds if the last frame is held up to there, else None.
    warnings: known before decoding.
    holds: True if the last clip is filled with its last frame, False if with zeros.
    silent_peak: amplitude that a sample must exceed somewhere, else there is a warning; None for
        frames.
    """

    shape: tuple[int, ...]
    dtype: type
    holds: bool
    short: MediaWarning
    still_until: float | None = None
    warnings: tuple[str, ...] = ()
    silent_peak: int | None = None


class Decoding:
    """Iterates over the clips of one stream of one video; closing it stops the decoder.

    ffmpeg starts when the first clip is requested and is killed when the context ends. After the
    last clip, `warnings` has the names of irregularities, `error_lines` the number of error lines,
    `error` the last of them, and `lost_frames` the number of lost or corrupt frames or packets. If
    a DecodeError comes after some clips, none of them may be used. Only one thread at a time may
    use an instance.

    fallback: command for audio whose format changes; it writes what `TimedPipe` reads.
    """

    def __init__(
        self,
        command: list[str],
        stream: Stream,
        media: Media,
        settings: VideoSettings,
        fallback: list[str] | None = None,
    ) -> None:
        self.warnings: tuple[str, ...] = ()
        self.error = ""
        self.error_lines = 0
        self.lost_frames = 0
        self._fallback = fallback
        self._command = command
        self._stream = stream
        self._media = media
        self._settings = settings
        self._pipe: Pipe | None = None
        self._decoded = 0
        self._given = 0
        self._last: np.ndarray | None = None
        self._loud = stream.silent_peak is None
        self._clips = self._decode() if command else iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        return next(self._clips)

    def close(self) -> None:
        """Stop the decoder if it is running; may be called more than once."""
        self._clips = iter(())
        if self._pipe:
            self._pipe.close()

    def _decode(self) -> Iterator[np.ndarray]:
        try:
            with self._start(self._command) as self._pipe:
                yield from self._read_clips(self._settings.clips)
                status = self._finish()
            if self._fallback and self._pipe.reported[_FORMAT_CHANGED]:
                rate, clips, media = self._settings.sample_rate, self._settings.clips, self._media
                complete = self._decoded // rate
                self._decoded = complete * rate
                timed = {"rate": rate, "offsets": media.clock_offsets, "longest": clips * rate}
                with self._start(self._fallback, partial(TimedPipe, **timed)) as self._pipe:
                    for _ in range(complete):
                        self._read_clip()
                    yield from self._read_clips(clips - complete)
                    status = self._finish()
        except TimeoutError as error:
            raise DecodeError(Status.TIMEOUT, self._message()) from error
        self._judge(status)
        yield from self._still_clips()

    def _start(self, command: list[str], kind: Callable[..., Pipe] = Pipe) -> Pipe:
        limit = self._settings.decoder_memory_mb * 1_000_000
        # Drivers of hardware decoders reserve more addresses than they use.
        hardware = self._settings.hwaccel != "none"
        watched = (_FORMAT_CHANGED, *_NO_MEMORY)
        return kind(command, self._settings.timeout_seconds, None if hardware else limit, watched)

    def _finish(self) -> int:
        """The decoder's exit status; DecodeError if something from outside ended it."""
        status = self._pipe.finish()
        if status == _STOPPED or from_outside(status):
            raise DecodeError(Status.INTERRUPTED, f"ffmpeg was ended from outside ({status})")
        return status

    def _read_clips(self, clips: int) -> Iterator[np.ndarray]:
        for _ in range(clips):
            clip, count = self._read_clip()
            if count < len(clip) and self._fallback and self._format_changed():
                return
            index = self._decoded // len(clip)
            self._decoded += count
            if count:
                self._last = clip[count - 1]
            if count <= (OVERHANG_SECONDS * len(clip) if index else 0):
                return
            if count < len(clip):
                clip[count:] = clip[count - 1] if self._stream.holds else 0
            self._given += 1
            self._loud = (
                self._loud or int(np.abs(clip.astype(np.int32)).max()) > self._stream.silent_peak
            )
            yield clip

    def _exceeds_silence(self, clip: np.ndarray) -> bool:
        """True if a sample is louder than silence."""
        peak = self._stream.silent_peak
        return bool(clip.max() > peak or clip.min() < -peak)

    def _read_clip(self) -> tuple[np.ndarray, int]:
        """A new clip and the number of frames or samples in it, fewer only at the end."""
        clip = np.empty(self._stream.shape, self._stream.dtype)
        count = self._pipe.read_into(memoryview(clip).cast("B"))
        return clip, count // clip[0].nbytes

    def _judge(self, status: int) -> None:
        """Find faults that the exit status does not show: it is 0 for most damaged files."""
        self.error = self._message()
        self.error_lines = self._pipe.error_lines
        self.lost_frames = self._pipe.lost_frames
        if status and any(self._pipe.reported[text] for text in _NO_MEMORY):
            raise DecodeError(Status.OUT_OF_MEMORY, self.error)
        if status < 0:
            raise DecodeError(Status.CRASHED, f"ffmpeg died of signal {-status}; {self.error}")
        if not self._decoded:
            raise DecodeError(
                Status.UNDECODABLE, self.error or "the decoder gave no output and no message"
            )
        errors = (MediaWarning.DECODER_ERRORS, status or self.error_lines)
        silent = (MediaWarning.SILENT, not self._loud)
        found = (errors, (self._stream.short, self._short()), silent)
        present = tuple(name for name, found_it in found if found_it)
        self.warnings = self._stream.warnings + present

    def _short(self) -> bool:
        expected = min(self._media.duration_seconds or 0, self._settings.clips)
        return self._decoded / self._stream.shape[0] < expected - SHORT_SECONDS

    def _format_changed(self) -> bool:
        """True if the decoder stopped because the format of the audio changed."""
        self._pipe.finish()
        return self._pipe.reported[_FORMAT_CHANGED]

    def _still_clips(self) -> Iterator[np.ndarray]:
        """Clips of the last frame, after a video stream that ends before the file does."""
        until, rate = self._stream.still_until, self._stream.shape[0]
        lost = (self._media.video_end_seconds or 0) - self._decoded / rate > SHORT_SECONDS
        if until is None or lost or self._last is None:
            return
        for index in range(self._given, self._settings.clips):
            if until - index <= OVERHANG_SECONDS:
                return
            yield np.repeat(self._last[None], rate, axis=0)

    def _message(self) -> str:
        """The decoder's message, without the folder of the data set."""
        opened = self._command[self._command.index("-i") + 1]
        return self._pipe.message.replace(opened, self._media.video)
