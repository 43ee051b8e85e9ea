"""The rows of the media table: the properties of one video file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.tables import read_rows, write_rows
from mafnet.video.status import Status


@dataclass(frozen=True)
class Media:
    """One row of the media table.

    Times are seconds on the file's own clock; `start_seconds` is the container's start, which is
    second 0 of the clip grid. Missing values are None. `warnings` are names of MediaWarning.
    `error` is the decoder's message; `error_lines` counts its lines when frames and audio were
    decoded.
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


def write_media(rows: Iterable[Media], path: Path) -> None:
    """Write a media table."""
    write_rows(Media, rows, path)


def read_media(path: Path) -> list[Media]:
    """Read a media table; MafnetError if it is damaged."""
    return read_rows(Media, path)
