"""Tab-separated tables of videos, one line per video, written atomically."""

import csv
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing, require_unchanged

Row = TypeVar("Row")

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}


def write_rows(kind: type[Row], rows: Iterable[Row], path: Path) -> None:
    r"""Write rows of a dataclass, sorted by video; None is an empty cell, a tab in a name is \t.

    Fields are of type str, a StrEnum, int, tuple[str, ...], int | None or float | None. Names that
    are not valid UTF-8 keep their bytes.
    """
    names = [field.name for field in fields(kind)]
    ordered = sorted(rows, key=lambda row: row.video)
    write_table(names, ([_cell(getattr(row, name)) for name in names] for row in ordered), path)


def write_table(columns: Iterable[str], rows: Iterable[Iterable[object]], path: Path) -> None:
    """Write a tab-separated table; names that are not valid UTF-8 keep their bytes."""
    with (
        replacing(path, sealed=True) as beside,
        beside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_rows(kind: type[Row], path: Path) -> list[Row]:
    """Read a table of `write_rows`; MafnetError names the file and line of a wrong row."""
    require_unchanged(path)
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, dialect="excel-tab", strict=True)
            if next(reader, None) != [field.name for field in fields(kind)]:
                raise MafnetError(
                    f"{path}: was not written by this version; delete it to have it made again"
                )
            return [_row(kind, cells, f"{path}, line {reader.line_num}") for cells in reader]
    except (OSError, csv.Error) as error:
        raise MafnetError(
            f"{path}: cannot be read ({error}); delete it to have it made again"
        ) from error


def _row(kind: type[Row], cells: list[str], line: str) -> Row:
    """The row of a line; MafnetError names the line if a cell is missing or of a wrong type."""
    try:
        columns = zip(fields(kind), cells, strict=True)
        return kind(**{field.name: _value(cell, field.type) for field, cell in columns})
    except (KeyError, ValueError) as error:
        raise MafnetError(
            f"{line}: is damaged ({error}); delete the file to have it made again"
        ) from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return re.sub(r"[\\\t\n\r]", lambda match: _ESCAPES[match[0]], text)


def _value(cell: str, kind: Any) -> object:  # noqa: ANN401 - field types have no narrower type
    text = re.sub(r"\\.", lambda match: _CHARACTERS[match[0]], cell)
    if kind == tuple[str, ...]:
        return tuple(filter(None, text.split(",")))
    if isinstance(kind, type) and issubclass(kind, str):
        return kind(text)
    if not text and kind in (int | None, float | None):
        return None
    return float(text) if kind == float | None else int(text)
