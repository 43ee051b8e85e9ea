"""Reads tables as spreadsheet programs write them.

The separator is a comma, a semicolon or a tab. A first line `sep=;` may name it. Empty columns at
the right and empty rows are ignored. With semicolons, numbers may have a decimal comma.
"""

import csv
import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError

SEPARATORS = ",;\t"


def read_table(path: Path, needed: Sequence[str], numeric: Collection[str]) -> list[tuple]:
    """Rows as (number of the last line in the file, dictionary or None).

    A row is None if it has more or fewer fields than the header. MafnetError for a file that is
    not UTF-8 text, not a table, or that lacks a needed column.

    numeric: columns with numbers, for decimal commas.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        separator, skipped = _dialect(text, needed)
        body = io.StringIO(text[skipped:], newline="")
        reader = csv.reader(body, delimiter=separator, strict=True)
        header = _trimmed(next((cells for cells in reader if any(cells)), []))
        _check_header(path, header, needed)
        offset = 1 if skipped else 0
        rows = [(reader.line_num + offset, _row(header, cells)) for cells in reader if any(cells)]
    except UnicodeDecodeError as error:
        raise MafnetError(
            f"{path}: cannot be read as a UTF-8 CSV file ({error}); save it as CSV UTF-8"
        ) from error
    except (OSError, csv.Error) as error:
        raise MafnetError(f"{path}: cannot be read as a UTF-8 CSV file ({error})") from error
    if separator == ";":
        rows = [(number, row and _with_decimal_points(row, numeric)) for number, row in rows]
    return rows


def _dialect(text: str, needed: Collection[str]) -> tuple[str, int]:
    """The separator, and the length of a line `sep=...` in front of the header."""
    if named := re.match(r'"?sep=(.)"?\r?\n', text):
        return named[1], named.end()
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=lambda separator: _matches(header, separator, needed)), 0


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
