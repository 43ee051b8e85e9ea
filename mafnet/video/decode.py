"""Frames and sound of one video, laid on the clip grid by one ffmpeg process each.

Second 0 of the grid is the start of the container, for both streams alike: time stamps are kept as
the file has them (-copyts) and moved by the start that probing found. Left to itself ffmpeg starts
some containers (MPEG-TS) at the stream that is decoded, which would set sound and picture apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import ffmpeg
import numpy as np

from mafnet.common.ffmpeg import (
    MAX_PIXELS,
    check_hwaccel,
    ffmpeg_path,
    file_url,
    input_options,
)
from mafnet.video.config import SAMPLE_RATE, VideoSettings
from mafnet.video.media import Media
from mafnet.video.pipe import Pipe
from mafnet.video.status import MediaWarning, Status

OVERHANG_SECONDS = 0.1
"""What a stream holds of its last second must be longer than this to make one more clip.

Codecs pad: AAC fills its last frame of 1,024 samples, and 90 frames at 29.97 a second end at
3.003 s. The first clip is exempt, so that a video of one frame has one clip.
"""

SHORT_SECONDS = 0.5
"""A stream that ends this much before the container does (or before clip T) is called short."""

_SCALER = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
"""Flags without which ffmpeg trades exactness for speed, differently from machine to machine."""


_NUDGE_SECONDS = 1
"""Added to all time stamps and taken off again.

Even under -copyts ffmpeg 5.1 moves MPEG-TS to the start of the decoded stream if what it adds to
time stamps equals minus the container's start, as 0 does for a file that starts at 0.
"""


class DecodeError(Exception):
    """A video that gives no features; `message` is the decoder's error text."""

    def __init__(self, reason: Status, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True)
class _Stream:
    """One kind of stream: a clip's shape, the first axis being time, and what to call it if short.

    holds: True if a clip that ends early is filled with its last frame, False if with zeros.
    """

    shape: tuple[int, ...]
    dtype: type
    holds: bool
    short: MediaWarning


class Decoding:
    """Iterates over the clips of one stream of one video; frees the decoder when closed.

    ffmpeg starts with the first clip asked for and is killed when the context is left. Once all
    clips are taken, `warnings` names what was odd, `error_lines` counts the decoder's complaints
    and `error` holds the last of them. A DecodeError may also come after some clips: then none of
    them is to be used. One thread at a time may use an instance.
    """

    def __init__(
        self, command: list[str], stream: _Stream, media: Media, settings: VideoSettings
    ) -> None:
        self.warnings: tuple[str, ...] = ()
        self.error = ""
        self.error_lines = 0
        self._command = command
        self._stream = stream
        self._media = media
        self._settings = settings
        self._pipe: Pipe | None = None
        self._decoded = 0
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
        """Stop the decoder if it still runs; may be called more than once."""
        self._clips = iter(())
        if self._pipe:
            self._pipe.close()

    def _decode(self) -> Iterator[np.ndarray]:
        with Pipe(self._command, self._settings.timeout_seconds) as self._pipe:
            try:
                yield from self._read_clips()
                status = self._pipe.finish()
            except TimeoutError as error:
                raise DecodeError(Status.TIMEOUT, self._message()) from error
            self._judge(status)

    def _read_clips(self) -> Iterator[np.ndarray]:
        for index in range(self._settings.clips):
            clip, held = self._read_clip()
            self._decoded += held
            if held <= (OVERHANG_SECONDS * len(clip) if index else 0):
                return
            if held < len(clip):
                clip[held:] = clip[held - 1] if self._stream.holds else 0
            yield clip

    def _read_clip(self) -> tuple[np.ndarray, int]:
        """A new clip and how many of its frames or samples were read, fewer only at the end."""
        clip = np.empty(self._stream.shape, self._stream.dtype)
        count = self._pipe.read_into(memoryview(clip).cast("B"))
        return clip, count // clip[0].nbytes

    def _judge(self, status: int) -> None:
        """Name what the exit status does not tell: it is 0 for most damaged files."""
        self.error = self._message()
        self.error_lines = self._pipe.error_lines
        if status < 0:
            raise DecodeError(Status.CRASHED, f"ffmpeg died of signal {-status}; {self.error}")
        if not self._decoded:
            raise DecodeError(
                Status.UNDECODABLE, self.error or "the decoder gave nothing and no reason"
            )
        errors = (MediaWarning.DECODER_ERRORS, status or self.error_lines)
        found = (errors, (self._stream.short, self._short()))
        self.warnings = tuple(name for name, holds in found if holds)

    def _short(self) -> bool:
        expected = min(self._media.duration_seconds or 0, self._settings.clips)
        return self._decoded / self._stream.shape[0] < expected - SHORT_SECONDS

    def _message(self) -> str:
        """The decoder's message, the same wherever the data set lies."""
        opened = self._command[self._command.index("-i") + 1]
        return self._pipe.message.replace(opened, self._media.video)


def decode_frames(path: Path, media: Media, settings: VideoSettings) -> Decoding:
    """The picture of a video, at most `settings.clips` clips (frames_per_clip, S, S, 3) uint8 RGB.

    Frame i of clip t is the one shown at t + i / frames_per_clip: the last that starts no later,
    or the first of all where none does. A clip counts if the video lasts past its start by more
    than OVERHANG_SECONDS; after its end the last frame is held. Rotation flags are obeyed and the
    frame is squashed to S x S, its aspect not kept. Memory does not grow with the video's length.
    MafnetError if ffmpeg cannot decode by `settings.hwaccel` here.
    """
    side, rate = settings.frame_size, settings.frames_per_clip
    picture = (
        _input(path, max_pixels=MAX_PIXELS, **_hardware(settings))["V:0"]
        .filter("setpts", _from_start(media))
        .filter("fps", fps=rate, round="up", start_time=0)
        .filter("scale", side, side, flags=f"{settings.interpolation}+{_SCALER}")
    )
    output = {"frames:v": settings.clips * rate, "fps_mode": "passthrough"}
    command = _command(picture.output("pipe:", format="rawvideo", pix_fmt="rgb24", **output))
    stream = _Stream((rate, side, side, 3), np.uint8, holds=True, short=MediaWarning.SHORT_VIDEO)
    return Decoding(command, stream, media, settings)


def decode_audio(path: Path, media: Media, settings: VideoSettings) -> Decoding:
    """The first sound track, at most `settings.clips` clips (SAMPLE_RATE,) int16, mono.

    Sample n of clip t is the sound at t + n / SAMPLE_RATE: silence where the track has not begun
    and in gaps. All channels count alike: the plain mean. A clip counts if the sound lasts past
    its start by more than OVERHANG_SECONDS; the rest of it is zeros. No clips for a video without
    sound.
    """
    stream = _Stream((SAMPLE_RATE,), np.int16, holds=False, short=MediaWarning.SHORT_AUDIO)
    if not media.audio_codec:
        return Decoding([], stream, media, settings)
    sound = (
        _input(path)["a:0"]
        .filter("asetpts", _from_start(media))
        .filter("pan", _mean_of_channels(media.audio_channels or 1))
        # async fills gaps longer than 0.1 s; first_pts fills or cuts up to second 0.
        .filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0, "osf": "s16"})
        .filter("atrim", end_sample=settings.clips * SAMPLE_RATE)
    )
    command = _command(sound.output("pipe:", format="s16le", acodec="pcm_s16le"))
    return Decoding(command, stream, media, settings)


def _hardware(settings: VideoSettings) -> dict[str, str]:
    """The input's option for hardware decoding; what the hardware cannot decode, ffmpeg does."""
    if settings.hwaccel == "none":
        return {}
    check_hwaccel(settings.hwaccel)
    return {"hwaccel": settings.hwaccel}


def _mean_of_channels(channels: int) -> str:
    """The down-mix as `pan` wants it; ffmpeg's own would weigh the channels by their place."""
    # "<" scales the equal gains so that they sum to 1.
    return "mono|c0<" + "+".join(f"c{index}" for index in range(channels))


def _from_start(media: Media) -> str:
    """The expression for `setpts` that puts second 0 at the container's start."""
    return f"round(PTS-({(media.start_seconds or 0) + _NUDGE_SECONDS:.6f})/TB)"


def _input(path: Path, **options: object) -> ffmpeg.Stream:
    # reinit_filter: a change of format in mid-stream must not restart the filters, which would
    # lay what follows on second 0 once more.
    return ffmpeg.input(
        file_url(path),
        itsoffset=_NUDGE_SECONDS,
        threads=1,
        reinit_filter=0,
        **input_options(),
        **options,
    )


def _command(output: ffmpeg.Stream) -> list[str]:
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "repeat+error", "-copyts")
    return output.global_args(*quiet, "-filter_complex_threads", "1").compile(cmd=ffmpeg_path())
