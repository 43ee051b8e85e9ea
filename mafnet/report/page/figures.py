"""The figures of the page, as data: URIs: an <img> runs no script and fetches nothing."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.report.captions import caption

MAX_BYTES = 8_000_000
"""Of all figures of a page together; what would go beyond is named instead."""

PLACES = {"curves": "result", "confusion": "classes", "classes": "classes"}
"""Sections of the page by figure; studies have their own beside them, the others go together."""

OTHERS = "figures"


@dataclass(frozen=True)
class Figure:
    """A figure: its name, where it stands, how to read it, and its picture.

    uri: empty if the picture is left out; `note` says why.
    """

    name: str
    place: str
    caption: str
    uri: str
    path: Path
    note: str = ""


def read_figures(paths: Sequence[Path]) -> list[Figure]:
    """The figures, in the order given; MafnetError if one cannot be read."""
    figures = []
    left = MAX_BYTES
    for path in paths:
        picture = _read(path)
        left -= len(picture)
        figures.append(_figure(path, picture) if left >= 0 else _left_out(path, len(picture)))
        left += 0 if left >= 0 else len(picture)
    return figures


def _figure(path: Path, picture: bytes) -> Figure:
    uri = "data:image/svg+xml;base64," + b64encode(picture).decode()
    return Figure(path.stem, _place(path.stem), caption(path.stem), uri, path)


def _left_out(path: Path, size: int) -> Figure:
    note = f"Left out to keep this page small: {path} has {size / 1e6:.1f} MB; open that file."
    return Figure(path.stem, _place(path.stem), caption(path.stem), "", path, note)


def _place(name: str) -> str:
    return name if name.startswith("study-") else PLACES.get(name, OTHERS)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MafnetError(f"{path}: cannot be read ({error}); make it again") from error
