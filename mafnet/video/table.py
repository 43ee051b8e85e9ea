"""The media table: one line a video, tab separated, written whole or not at all."""

import csv
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from mafnet.errors import MafnetError
from mafnet.files import replacing
from mafnet.video.media import Media

_TYPES = {field.name: field.type for field in fields(Media)}
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}


def write_media(rows: Iterable[Media], path: Path) -> None:
    r"""Write the table, sorted by video; None is an empty cell, a tab in a name is \t.

    Names that are no valid UTF-8 keep their bytes.
    """
    with (
        replacing(path) as beside,
        beside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        writer.writerow(_TYPES)
        for row in sorted(rows, key=lambda row: row.video):
            writer.writerow(_cell(getattr(row, name)) for name in _TYPES)


def read_media(path: Path) -> list[Media]:
    """Read what `write_media` wrote; MafnetError names the file and line of what does not fit."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, dialect="excel-tab", strict=True)
            if reader.fieldnames != list(_TYPES):
                raise MafnetError(f"{path}: is not a media table of this version; probe again")
            return [_row(cells, f"{path}, line {reader.line_num}") for cells in reader]
    except (OSError, csv.Error) as error:
        raise MafnetError(f"{path}: cannot be read ({error}); probe again") from error


def _row(cells: dict[str, str], place: str) -> Media:
    try:
        return Media(**{name: _value(cells[name], kind) for name, kind in _TYPES.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise MafnetError(f"{place}: is damaged ({error}); probe again") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return re.sub(r"[\\\t\n\r]", lambda match: _ESCAPES[match[0]], text)


def _value(cell: str, kind: Any) -> object:  # noqa: ANN401 - a field's type has no narrower one
    text = re.sub(r"\\.", lambda match: _CHARACTERS[match[0]], cell)
    if kind is str:
        return text
    if kind == tuple[str, ...]:
        return tuple(filter(None, text.split(",")))
    if not text:
        return None
    return float(text) if kind == float | None else int(text)
