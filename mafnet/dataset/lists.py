"""Reads the lists of a published data set from a folder or a zip file."""

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
"""Maximum size of a list; the largest one of Kinetics-400 has about 20 MB."""


def read_lists(source: Source, path: Path) -> dict[str, str]:
    """The text of each list by its key; MafnetError names the missing lists."""
    return {key: _text(path, name) for key, name in _required(source, path).items()}


def _required(source: Source, path: Path) -> dict[str, str]:
    """As `find_lists`; MafnetError names the missing lists."""
    found = find_lists(source, path)
    missing = missing_lists(source, found)
    if missing:
        names = ", ".join(source.lists[key].replace("\\", "") for key in missing)
        raise MafnetError(
            f"{path}: does not contain {names}; name the folder or zip file of the "
            f"lists of {source.name} (config: datasets, `lists`)"
        )
    return found


def find_lists(source: Source, path: Path) -> dict[str, str]:
    """The path of each list inside a folder or zip file; of several, the shortest path."""
    names = sorted(_names(path), key=lambda name: (name.count("/"), name))
    found: dict[str, str] = {}
    for key, pattern in source.lists.items():
        for name in names:
            if re.fullmatch(pattern, PurePosixPath(name).name, re.IGNORECASE):
                found.setdefault(key, name)
    return found


def missing_lists(source: Source, found: Collection[str]) -> list[str]:
    """The keys of required lists that were not found."""
    return [key for key in source.lists if key not in found and key not in source.optional]


def list_files(source: Source, path: Path) -> list[Path]:
    """The files that contain the lists: the inputs of a rule; MafnetError if some are missing."""
    if not path.is_dir():
        return [path]
    return [path / name for name in _required(source, path).values()]


def digests(source: Source, path: Path) -> dict[str, str]:
    """SHA-256 of each list by its file name, if the lists are files."""
    return {path.name: sha256_of(path) for path in list_files(source, path) if path.is_file()}


def _names(path: Path) -> Iterator[str]:
    """Paths of text files below a folder, or of the members of a zip file."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            base = PurePosixPath(Path(folder).relative_to(path).as_posix())
            yield from (str(base / name) for name in names if name.lower().endswith(ENDINGS))
        return
    try:
        with zipfile.ZipFile(path) as file:
            yield from [entry.filename for entry in file.infolist() if not entry.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise MafnetError(
            f"{path}: is neither a folder nor a zip file with lists ({error})"
        ) from error


def _text(path: Path, name: str) -> str:
    """The text of a list; MafnetError if it is not UTF-8 text or too long."""
    try:
        return _bytes(path, name).decode("utf-8-sig")
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise MafnetError(f"{path}: {name} cannot be read as a list ({error})") from error


def _bytes(path: Path, name: str) -> bytes:
    if path.is_dir():
        if (path / name).stat().st_size > MAX_BYTES:
            raise ValueError(f"has more than {MAX_BYTES} bytes")
        return (path / name).read_bytes()
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES} bytes")
    return content
