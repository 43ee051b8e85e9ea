"""A data set's lists: read from a folder or a zip file, under any of their usual names."""

import os
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of
from mafnet.dataset.sources.base import Source

ENDINGS = (".txt", ".csv")
MAX_BYTES = 200_000_000
"""The longest list that is read; Kinetics-400's has some 20 MB."""


def read_lists(source: Source, place: Path) -> dict[str, str]:
    """The texts of the lists by what each is for; MafnetError names those that are not there."""
    found = find_lists(source, place)
    missing = missing_lists(source, found)
    if missing:
        names = ", ".join(source.lists[key].replace("\\", "") for key in missing)
        raise MafnetError(
            f"{place}: holds no {names}; name the folder or zip file of {source.name}'s lists "
            "(config: datasets, `lists`)"
        )
    return {key: _text(place, name) for key, name in found.items()}


def find_lists(source: Source, place: Path) -> dict[str, str]:
    """Where each list is inside a folder or zip file; of several, that with the shortest path."""
    names = sorted(_names(place), key=lambda name: (name.count("/"), name))
    found: dict[str, str] = {}
    for key, pattern in source.lists.items():
        for name in names:
            if re.fullmatch(pattern, PurePosixPath(name).name, re.IGNORECASE):
                found.setdefault(key, name)
    return found


def missing_lists(source: Source, found: Collection[str]) -> list[str]:
    """What is needed and not among the lists that were found."""
    return [key for key in source.lists if key not in found and key not in source.optional]


def list_files(source: Source, place: Path) -> list[Path]:
    """The files that the lists are read from: what a rule has to watch."""
    if not place.is_dir():
        return [place]
    return [place / name for name in find_lists(source, place).values()]


def digests(source: Source, place: Path) -> dict[str, str]:
    """sha256 of each list by its file's name, where they are files."""
    return {path.name: sha256_of(path) for path in list_files(source, place) if path.is_file()}


def _names(place: Path) -> Iterator[str]:
    """Paths of texts below a folder, or of members of a zip file."""
    if place.is_dir():
        for folder, _, names in os.walk(place):
            base = PurePosixPath(Path(folder).relative_to(place).as_posix())
            yield from (str(base / name) for name in names if name.lower().endswith(ENDINGS))
        return
    try:
        with zipfile.ZipFile(place) as file:
            yield from [entry.filename for entry in file.infolist() if not entry.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise MafnetError(
            f"{place}: is neither a folder nor a zip file with lists ({error})"
        ) from error


def _text(place: Path, name: str) -> str:
    """One list's text; MafnetError if it is no text or too long for one."""
    try:
        return _bytes(place, name).decode("utf-8-sig")
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise MafnetError(f"{place}: {name} cannot be read as a list ({error})") from error


def _bytes(place: Path, name: str) -> bytes:
    if place.is_dir():
        if (place / name).stat().st_size > MAX_BYTES:
            raise ValueError(f"has more than {MAX_BYTES} bytes")
        return (place / name).read_bytes()
    with zipfile.ZipFile(place) as archive, archive.open(name) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES} bytes")
    return content
