"""Reads tables as spreadsheet programs write them.

The separator is a comma, a semicolon or a tab. A first line `sep=;` may name it. Empty columns at
the right and empty rows are ignored. With semicolons, numbers may have a decimal comma.
"""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from mafnet.common.errors import MafnetError

SEPARATORS = ",;\t"


def read_table(
    path: Path, needed: Sequence[str], numeric: Collection[str]
) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Rows as (number of the last line in the file, dictionary or None), one after the other.

    A row is None if it has more or fewer fields than the header. MafnetError for a file that is
    not UTF-8 text, not a table, or that lacks a needed column.

    numeric: columns with numbers, for decimal commas.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator, offset = _dialect(file, needed)
            reader = csv.reader(file, delimiter=separator, strict=True)
            header = _trimmed(next((cells for cells in reader if any(cells)), []))
            _check_header(path, header, needed)
            for cells in filter(any, reader):
                row = _row(header, cells)
                if row and separator == ";":
                    row = _with_decimal_points(row, numeric)
                yield reader.line_num + offset, row
    except UnicodeDecodeError as error:
        raise MafnetError(
            f"{path}: cannot be read as a UTF-8 CSV file ({error}); save it as CSV UTF-8"
        ) from error
    except (OSError, csv.Error) as error:
        raise MafnetError(f"{path}: cannot be read as a UTF-8 CSV file ({error})") from error


def _dialect(file: TextIO, needed: Collection[str]) -> tuple[str, int]:
    """The separator, and the number of lines before the header that were read: a line `sep=...`."""
    first = file.readline()
    if named := re.fullmatch(r'"?sep=(.)"?\r?\n', first):
        return named[1], 1
    while first and not first.strip():
        first = file.readline()
    file.seek(0)
    return max(SEPARATORS, key=lambda separator: _matches(first.strip(), separator, needed)), 0


def _matches(header: str, separator: str, needed: Collection[str]) -> int:
    """The number of needed columns in a header that is split by a separator."""
    names = next(csv.reader([header], delimiter=separator), [])
    return len(set(needed) & set(names))


def _trimmed(cells: list[str]) -> list[str]:
    """The cells without empty ones at the end."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    missing = [column for column in needed if column not in header]
    if missing:
        raise MafnetError(
            f"{path}: no column {', '.join(missing)}; the first line must name {','.join(needed)}, "
            "separated by commas, semicolons or tabs"
        )
    named = [column for column in header if column.strip()]
    if len(set(named)) < len(named):
        raise MafnetError(f"{path}: the first line names a column twice; remove one")


def _row(header: Sequence[str], cells: list[str]) -> dict[str, str] | None:
    if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
        return None
    return dict(zip(header, cells, strict=False))


def _with_decimal_points(row: dict[str, str], numeric: Collection[str]) -> dict[str, str]:
    return row | {name: row[name].replace(",", ".") for name in numeric if name in row}
