"""Decodes frames and audio of one video to the clip grid, with one ffmpeg process each.

Second 0 of the grid is the start of the container, for both streams. ffmpeg keeps the file's time
stamps (-copyts), and a filter subtracts the start that probing found. Without -copyts, ffmpeg
starts some containers (MPEG-TS) at the decoded stream, so frames and audio are not in step.
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
from mafnet.video.media import SHORT_SECONDS, Media
from mafnet.video.packets import AHEAD_SECONDS, BACK_SECONDS
from mafnet.video.pipe import Pipe
from mafnet.video.status import MediaWarning, Status

OVERHANG_SECONDS = 0.1
"""The part of a stream in its last second must be longer than this to give one more clip.

Codecs pad: AAC fills its last frame of 1,024 samples, and 90 frames at 29.97 a second end at
3.003 s. The first clip has no minimum: a video of one frame has one clip.
"""

_SCALER = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
"""Flags for exact results. Without them ffmpeg is faster but differs between machines."""


_NUDGE_SECONDS = 1
"""Added to all time stamps by ffmpeg's input and subtracted by the filter.

Even with -copyts, ffmpeg 5.1 moves MPEG-TS to the start of the decoded stream if the input's offset
equals minus the container's start, which is the case for 0 and a file that starts at 0.
"""

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

_STEP = "(PTS-PREV_INPTS)*TB"
_JUMPS = f"gt({_STEP},{AHEAD_SECONDS:g})+lt({_STEP},-{BACK_SECONDS:g})"
"""1 if the clock jumps at this frame, else 0."""

_COUNTED = "ld(0)+NB_CONSUMED_SAMPLES/SR/TB"
_JOINED = (
    "st(0,if(isnan(PREV_INPTS),PTS,ld(0)));"
    f"if(between((PTS-({_COUNTED}))*TB,1,{AHEAD_SECONDS:g}),st(0,ld(0)+PTS-({_COUNTED})));"
    f"round({_COUNTED})"
)
"""Time stamps of audio whose format changes: counted samples, and gaps of more than a second.

The stated ones are not reliable there: demuxers compute them with the rate of the first packets.
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
    """One kind of stream: the shape of a clip, whose first axis is time, and its warning if short.

    still_until: end of the file in seconds if the last frame is held up to there, else None.
    holds: True if the last clip is filled with its last frame, False if with zeros.
    """

    shape: tuple[int, ...]
    dtype: type
    holds: bool
    short: MediaWarning
    still_until: float | None = None


class Decoding:
    """Iterates over the clips of one stream of one video; closing it stops the decoder.

    ffmpeg starts when the first clip is requested and is killed when the context ends. After the
    last clip, `warnings` has the names of irregularities, `error_lines` the number of error lines,
    `error` the last of them, and `lost_frames` the number of lost or corrupt frames or packets. If
    a DecodeError comes after some clips, none of them may be used. Only one thread at a time may
    use an instance.

    fallback: command that decodes an audio stream whose format changes; it has no silence before
        the first sample.
    """

    def __init__(
        self,
        command: list[str],
        stream: _Stream,
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
        self._silence = 0
        self._last: np.ndarray | None = None
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
                status = self._pipe.finish()
            if self._fallback and self._pipe.reported[_FORMAT_CHANGED]:
                complete = self._decoded // SAMPLE_RATE
                with self._start(self._fallback) as self._pipe:
                    self._skip_to(complete)
                    yield from self._read_clips(self._settings.clips - complete)
                    status = self._pipe.finish()
        except TimeoutError as error:
            raise DecodeError(Status.TIMEOUT, self._message()) from error
        self._judge(status)
        yield from self._still_clips()

    def _start(self, command: list[str]) -> Pipe:
        limit = self._settings.decoder_memory_mb * 1_000_000
        # Drivers of hardware decoders reserve more addresses than they use.
        hardware = self._settings.hwaccel != "none"
        watched = (_FORMAT_CHANGED, *_NO_MEMORY)
        return Pipe(command, self._settings.timeout_seconds, None if hardware else limit, watched)

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
            yield clip

    def _read_clip(self) -> tuple[np.ndarray, int]:
        """A new clip and the number of frames or samples in it, fewer only at the end."""
        clip = np.empty(self._stream.shape, self._stream.dtype)
        silent = min(self._silence, len(clip))
        self._silence -= silent
        clip[:silent] = 0
        count = self._pipe.read_into(memoryview(clip[silent:]).cast("B"))
        return clip, silent + count // clip[0].nbytes

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
        found = (errors, (self._stream.short, self._short()))
        self.warnings = tuple(name for name, present in found if present)

    def _short(self) -> bool:
        expected = min(self._media.duration_seconds or 0, self._settings.clips)
        return self._decoded / self._stream.shape[0] < expected - SHORT_SECONDS

    def _format_changed(self) -> bool:
        """True if the decoder stopped because the format of the audio changed."""
        self._pipe.finish()
        return self._pipe.reported[_FORMAT_CHANGED]

    def _skip_to(self, clips: int) -> None:
        """Set the position of the fallback to the end of the clips that are complete."""
        self._decoded = clips * SAMPLE_RATE
        media = self._media
        late = (media.audio_start_seconds or 0) - (media.start_seconds or 0)
        samples = self._decoded - round(late * SAMPLE_RATE)
        self._silence = max(-samples, 0)
        skipped = bytearray(max(samples, 0) * 2)
        self._pipe.read_into(memoryview(skipped))

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


def decode_frames(path: Path, media: Media, settings: VideoSettings) -> Decoding:
    """The frames of a video, at most `settings.clips` clips (frames_per_clip, S, S, 3) uint8 RGB.

    Frame i of clip t is the frame that a player shows at t + i / frames_per_clip: the last one that
    does not start later, or the first frame of the video. A clip counts if the video is longer than
    the clip's start by more than OVERHANG_SECONDS. The last frame fills its clip; if the video
    stream ends early, it is held to the end of the file. Rotation flags are applied. Frames are
    scaled to S x S; the aspect ratio is not kept. Memory does not grow with the video's length.
    MafnetError if ffmpeg cannot use `settings.hwaccel` on this machine.
    """
    side, rate = settings.frame_size, settings.frames_per_clip
    frames = (
        _input(path, max_pixels=MAX_PIXELS, **_hardware(settings))[f"V:{media.video_track}"]
        .filter("setpts", _on_grid(media, settings))
        .filter("fps", fps=rate, round="up", start_time=0)
        .filter("scale", side, side, flags=f"{settings.interpolation}+{_SCALER}")
    )
    output = {"frames:v": settings.clips * rate, "fps_mode": "passthrough"}
    command = _command(frames.output("pipe:", format="rawvideo", pix_fmt="rgb24", **output))
    shape, short = (rate, side, side, 3), MediaWarning.SHORT_VIDEO
    stream = _Stream(shape, np.uint8, True, short, media.still_until)
    return Decoding(command, stream, media, settings)


def decode_audio(path: Path, media: Media, settings: VideoSettings) -> Decoding:
    """The audio track, at most `settings.clips` clips (SAMPLE_RATE,) int16, mono.

    Sample n of clip t belongs to t + n / SAMPLE_RATE. It is silence before the track's start and in
    gaps. Mono is the plain mean of all channels. A clip counts if the audio is longer than the
    clip's start by more than OVERHANG_SECONDS; the rest of it is zeros. No clips for a video
    without audio. After a change of rate or channels, ffmpeg's own down-mix is used.
    """
    stream = _Stream((SAMPLE_RATE,), np.int16, holds=False, short=MediaWarning.SHORT_AUDIO)
    if not media.audio_codec:
        return Decoding([], stream, media, settings)
    track = f"a:{media.audio_track}"
    audio = (
        _input(path)[track]
        .filter("asetpts", _on_grid(media, settings))
        .filter("pan", _mean_of_channels(media.audio_channels or 1))
        # async fills gaps longer than 0.1 s; first_pts fills or cuts up to second 0.
        .filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0, "osf": "s16"})
        .filter("atrim", end_sample=settings.clips * SAMPLE_RATE)
    )
    fallback = (
        _input(path, reinit_filter=1)[track]
        .filter("asetpts", _JOINED)
        .filter("aresample", **{"async": 1})
        .filter("aformat", sample_fmts="s16", sample_rates=SAMPLE_RATE, channel_layouts="mono")
    )
    raw = {"format": "s16le", "acodec": "pcm_s16le"}
    # setts: the time stamps of two graphs may overlap, which the muxer reports as an error.
    joined = {"bsf:a": "setts=ts=N"}
    commands = (audio.output("pipe:", **raw), fallback.output("pipe:", **raw, **joined))
    command, other = map(_command, commands)
    return Decoding(command, stream, media, settings, other)


def _hardware(settings: VideoSettings) -> dict[str, str]:
    """The input's option for hardware decoding; ffmpeg decodes the codecs that hardware cannot."""
    if settings.hwaccel == "none":
        return {}
    check_hwaccel(settings.hwaccel)
    return {"hwaccel": settings.hwaccel}


def _mean_of_channels(channels: int) -> str:
    """The down-mix for filter `pan`; ffmpeg's own has other weights for some channels."""
    # "<" scales the equal gains so that they sum to 1.
    return "mono|c0<" + "+".join(f"c{index}" for index in range(channels))


def _on_grid(media: Media, settings: VideoSettings) -> str:
    """The expression for `setpts` that sets second 0 to the container's start.

    Time stamps after the last clip are all the same, so that no filter fills a jump of hours.
    """
    start, last = (media.start_seconds or 0) + _NUDGE_SECONDS, settings.clips + 1
    if not media.clock_offsets:
        return f"min(round(PTS-({start:.6f})/TB),{last}/TB)"
    # Variable 0 counts the jumps of the clock; each has its own offset.
    count = f"st(0,ld(0)+if(isnan(PREV_INPTS),0,{_JUMPS}))"
    offset = media.clock_offsets[-1]
    for index, earlier in reversed(list(enumerate(("0", *media.clock_offsets[:-1])))):
        offset = f"if(lte(ld(0),{index}),{earlier},{offset})"
    return f"{count};min(round(PTS+({offset}-{start:.6f})/TB),{last}/TB)"


def _input(path: Path, reinit_filter: int = 0, **options: object) -> ffmpeg.Stream:
    # reinit_filter=0: a change of the format must not restart the filters, because they would
    # start again at second 0.
    return ffmpeg.input(
        file_url(path),
        itsoffset=_NUDGE_SECONDS,
        threads=1,
        reinit_filter=reinit_filter,
        **input_options(),
        **options,
    )


def _command(output: ffmpeg.Stream) -> list[str]:
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "repeat+level+warning", "-copyts")
    return output.global_args(*quiet, "-filter_complex_threads", "1").compile(cmd=ffmpeg_path())
