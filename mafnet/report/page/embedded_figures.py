"""The figures of the page, as data: URIs: an <img> runs no script and fetches nothing."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import require_unchanged
from mafnet.report.captions import caption

MAX_BYTES = 8_000_000
"""Largest size of all figures of a page; larger figures are only named."""

SECTIONS = {"curves": "result", "confusion": "classes", "classes": "classes"}
"""Section of the page by figure. The figure of a study is below its table; others are in OTHERS."""

OTHERS = "figures"


@dataclass(frozen=True)
class EmbeddedFigure:
    """A figure: its name, the section that shows it, its caption and its content.

    uri: empty if the figure is left out; `note` has the reason.
    """

    name: str
    section: str
    caption: str
    uri: str
    path: Path
    note: str = ""


def read_figures(paths: Sequence[Path]) -> list[EmbeddedFigure]:
    """The figures, in the order given; MafnetError if one cannot be read."""
    figures = []
    left = MAX_BYTES
    for path in paths:
        content = _read(path)
        left -= len(content)
        figures.append(_figure(path, content) if left >= 0 else _left_out(path, len(content)))
        left += 0 if left >= 0 else len(content)
    return figures


def _figure(path: Path, content: bytes) -> EmbeddedFigure:
    uri = "data:image/svg+xml;base64," + b64encode(content).decode()
    return EmbeddedFigure(path.stem, _section(path.stem), caption(path.stem), uri, path)


def _left_out(path: Path, size: int) -> EmbeddedFigure:
    note = f"Not included, because it is too large: open {path} ({size / 1e6:.1f} MB)."
    return EmbeddedFigure(path.stem, _section(path.stem), caption(path.stem), "", path, note)


def _section(name: str) -> str:
    return name if name.startswith("study-") else SECTIONS.get(name, OTHERS)


def _read(path: Path) -> bytes:
    require_unchanged(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise MafnetError(f"{path}: cannot be read ({error}); run the workflow again") from error
