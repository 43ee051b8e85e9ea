"""Decodes a live source, such as a pipe, to the clip grid: frames and audio from one reading.

ffmpeg reads the source, which cannot be probed or read twice, and writes raw frames and samples as
one NUT stream. Second 0 of the grid is where the source starts. Unlike in files (`decode`), HDR
stays as it is, and several channels have ffmpeg's own down-mix.
"""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISFIFO
from typing import Self

import ffmpeg
import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import MAX_PIXELS, ffmpeg_path, input_options
from mafnet.video.clips import OVERHANG_SECONDS
from mafnet.video.config import VideoSettings
from mafnet.video.decode import SCALER
from mafnet.video.pipe import limit_memory, message_of

STANDARD_INPUT = ("pipe:0", "/dev/stdin")
"""Names of standard input as a source; "-" is a list of files there."""

AHEAD_SECONDS = 20
"""Seconds that one stream may be ahead; then the other counts as still or silent for a while."""

_KEPT_BYTES = 4000
_SHAPES = {
    "visual": lambda each: ((each.frames_per_clip, each.frame_size, each.frame_size, 3), np.uint8),
    "audio": lambda each: ((each.sample_rate,), np.int16),
}
_MODALITY = {"video": "visual", "audio": "audio"}


def is_live(name: str) -> bool:
    """True for standard input and for a named pipe."""
    if name in STANDARD_INPUT:
        return True
    try:
        return S_ISFIFO(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return False


class LiveSource:
    """A running decoder of a live source; use it as a context. Memory does not grow with time.

    name: as `is_live` knows it. settings: those of "visual", "audio", or both.
    """

    def __init__(self, name: str, settings: Mapping[str, VideoSettings]) -> None:
        self._name = name
        self._shapes = {modality: _SHAPES[modality](each) for modality, each in settings.items()}
        self._waiting = {each: bytearray() for each in self._shapes}
        self._owed = dict.fromkeys(self._shapes, 0)
        self._stopped = False
        self._said = b""
        source = None if name in STANDARD_INPUT else Path(name).open("rb")  # noqa: SIM115
        # A new session: Ctrl-C reaches only this process, which then calls `stop`.
        self._process = subprocess.Popen(
            _command(settings), stdin=source, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        if source:
            source.close()
        limit = max(each.decoder_memory_mb for each in settings.values())
        limit_memory(self._process.pid, limit * 1_000_000)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._packets = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def stop(self) -> None:
        """End the reading: the clips end with what is decoded. May be called more than once."""
        self._stopped = True
        self._process.kill()

    def clips(self, modality: str) -> Iterator[np.ndarray]:
        """The clips of "visual", (F, S, S, 3) uint8 RGB, or "audio", (rate,) int16.

        Read both in turn. MafnetError if nothing can be decoded.
        """
        shape, dtype = self._shapes[modality]
        last, count = np.zeros(shape[1:], dtype), 0
        while True:
            data = self._next(modality)
            clip = np.frombuffer(data, dtype).reshape(-1, *shape[1:])
            missing = shape[0] - len(clip)
            if missing and not self._packets and len(clip) <= self._overhang(shape[0], count):
                return
            if modality == "visual" and len(clip):
                last = clip[-1]
            count += 1
            yield np.concatenate([clip, np.repeat(last[None], missing, axis=0)])

    @staticmethod
    def _overhang(items: int, count: int) -> float:
        """Items that the last clip must have more than, as in `Decoding`."""
        return OVERHANG_SECONDS * items if count else 0

    def _item(self, modality: str) -> int:
        """Bytes of a frame or a sample."""
        shape, dtype = self._shapes[modality]
        return int(np.prod(shape[1:])) * np.dtype(dtype).itemsize

    def _size(self, modality: str) -> int:
        """Bytes of a clip."""
        return self._shapes[modality][0][0] * self._item(modality)

    def _next(self, modality: str) -> bytes:
        """The next clip; less if the source has ended or if this stream is behind the other."""
        waiting, size = self._waiting[modality], self._size(modality)
        # A stream that was behind before keeps the other one waiting only for a second.
        ahead = 1 if self._owed[modality] else AHEAD_SECONDS
        while self._packets and len(waiting) < size and not self._is_behind(modality, ahead):
            found = next(self._packets, None)
            if found is None:
                self._packets = None
            else:
                self._keep(*found)
        data = bytes(waiting[:size])
        del waiting[:size]
        if self._packets:
            self._owed[modality] += size - len(data)
        return data

    def _is_behind(self, modality: str, seconds: int) -> bool:
        """True if the other stream is so many seconds ahead."""
        others = self._shapes.keys() - {modality}
        return any(len(self._waiting[each]) >= seconds * self._size(each) for each in others)

    def _keep(self, modality: str, data: bytes) -> None:
        """Keep what arrives, without what counted as still or silent before.

        `stop` may cut the last frame or sample in two; its part is left out.
        """
        data = data[: len(data) - len(data) % self._item(modality)]
        late = min(self._owed[modality], len(data))
        self._owed[modality] -= late
        self._waiting[modality] += data[late:]

    def _read(self) -> Iterator[tuple[str, bytes]]:
        """The packets of both streams."""
        import av

        try:
            # ffmpeg states all that libav would otherwise read packets for.
            options = {"probesize": "32", "analyzeduration": "0"}
            with av.open(self._process.stdout, format="nut", options=options) as file:
                for packet in file.demux():
                    if packet.size:
                        yield _MODALITY[packet.stream.type], bytes(packet)
        except (av.FFmpegError, ValueError) as error:
            if not self._stopped:
                raise self._failed(error) from error
        if self._process.wait() and not self._stopped:
            raise self._failed(None)

    def _listen(self) -> None:
        """Keep the end of ffmpeg's messages, which may be many in a source of weeks."""
        while chunk := self._process.stderr.read1():
            self._said = (self._said + chunk)[-_KEPT_BYTES:]

    def _failed(self, error: Exception | None) -> MafnetError:
        self._process.wait()
        self._listener.join()
        reason = message_of(self._said) or str(error)
        return MafnetError(
            f"{self._name}: the source cannot be decoded ({reason}); send Matroska or MPEG-TS, "
            "because mp4 needs a file"
        )


def _command(settings: Mapping[str, VideoSettings]) -> list[str]:
    source = ffmpeg.input(
        "pipe:0", threads=1, reinit_filter=0, max_pixels=MAX_PIXELS,
        **(input_options() | {"protocol_whitelist": "pipe"}),
    )  # fmt: skip
    streams, filters = [], {}
    if frames := settings.get("visual"):
        side, rate = frames.frame_size, frames.frames_per_clip
        scale = f"scale={side}:{side}:flags={frames.interpolation}+{SCALER}"
        streams.append(source["V:0"])
        filters["filter:v"] = f"fps={rate}:round=up:start_time=0,{scale}"
    if audio := settings.get("audio"):
        resample = f"aresample={audio.sample_rate}:async=1:first_pts=0:osf=s16"
        streams.append(source["a:0?"])
        filters["filter:a"] = f"aformat=channel_layouts=mono,{resample}"
    output = ffmpeg.output(
        *streams, "pipe:1", format="nut", fps_mode="passthrough",
        vcodec="rawvideo", pix_fmt="rgb24", acodec="pcm_s16le", **filters,
        # Packets need not be in the order of time, and none should wait.
        max_interleave_delta=1_000_000, flush_packets=1,
    )  # fmt: skip
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "error")
    return output.global_args(*quiet).compile(cmd=ffmpeg_path())
