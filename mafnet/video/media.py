"""The rows of the media table: the properties of one video file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.ffmpeg import can_tone_map
from mafnet.common.tables import read_rows, write_rows
from mafnet.video.status import Status

SHORT_SECONDS = 0.5
"""A stream that ends this much before the container does (or before clip T) is called short."""


@dataclass(frozen=True)
class Media:
    """One row of the media table.

    Times are seconds on the file's own clock; `start_seconds` is the container's start, which is
    second 0 of the clip grid. Missing values are None. `warnings` are names of MediaWarning.
    `error` is the decoder's message; `error_lines` counts its lines when frames and audio were
    decoded. `video_track` and `audio_track` are the positions of the used streams among those of
    their kind. `clock_offsets` are the seconds to add to each segment after the first, where time
    stamps jump or restart. `end_seconds` and `video_end_seconds` are the ends of the last packets
    of the file and of the video stream, counted from `start_seconds`, with all jumps repaired.
    `hdr` is the transfer function of an HDR video, as ffmpeg names it; empty for other videos.
    """

    video: str
    sha256: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    duration_seconds: float | None = None
    start_seconds: float | None = None
    container: str = ""
    video_codec: str = ""
    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    frame_rate: float | None = None
    video_start_seconds: float | None = None
    video_duration_seconds: float | None = None
    audio_codec: str = ""
    audio_channels: int | None = None
    audio_rate: int | None = None
    audio_start_seconds: float | None = None
    audio_duration_seconds: float | None = None
    video_track: int = 0
    audio_track: int = 0
    video_packets: int | None = None
    audio_packets: int | None = None
    clock_offsets: tuple[str, ...] = ()
    end_seconds: float | None = None
    video_end_seconds: float | None = None
    hdr: str = ""
    error_lines: int = 0
    status: Status = Status.OK
    warnings: tuple[str, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        """True if the file can be decoded as far as is known."""
        return self.status == Status.OK

    @property
    def failed(self) -> bool:
        """True if the video cannot be used. One dropped by the policy `silent` has not."""
        return self.status not in (Status.OK, Status.DROPPED)

    @property
    def still_until(self) -> float | None:
        """End in seconds of the grid up to which the last frame is held; None if it is not."""
        if self.end_seconds is None or self.video_end_seconds is None:
            return None
        ends_early = self.end_seconds - self.video_end_seconds > SHORT_SECONDS
        return self.end_seconds if ends_early else None

    def repairs(self, modality: str) -> str:
        """What decoding one modality, "visual" or "audio", does differently; "" for most files."""
        track = self.video_track if modality == "visual" else self.audio_track
        still = self.still_until if modality == "visual" else None
        hdr = self.hdr if modality == "visual" and self.hdr and can_tone_map() else ""
        clocks = "/".join(self.clock_offsets)
        found = {"track": track, "clocks": clocks, "still": still, "hdr": hdr}
        return " ".join(f"{name}={value}" for name, value in found.items() if value)


def write_media(rows: Iterable[Media], path: Path) -> None:
    """Write a media table."""
    write_rows(Media, rows, path)


def read_media(path: Path) -> list[Media]:
    """Read a media table; MafnetError if it is damaged."""
    return read_rows(Media, path)
