"""The report of a shard and modality: the outcome of each video's extraction."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.tables import read_rows, write_rows
from mafnet.video.status import Status


@dataclass(frozen=True)
class Extracted:
    """Outcome of one video in one modality: a row of a shard's report.

    clips: number of clips that the video fills; the other clips of the grid are padding.
    warnings: names of MediaWarning.
    error: the decoder's message; `error_lines` counts its lines.
    lost_frames: number of frames or audio packets that are corrupt or could not be decoded.
    """

    video: str
    sha256: str
    clips: int = 0
    status: Status = Status.OK
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_lines: int = 0
    lost_frames: int = 0


def write_report(rows: Iterable[Extracted], path: Path) -> None:
    """Write a shard's report, a table with one row a video."""
    write_rows(Extracted, rows, path)


def read_report(path: Path) -> list[Extracted]:
    """Read a shard's report; MafnetError if it is damaged."""
    return read_rows(Extracted, path)
