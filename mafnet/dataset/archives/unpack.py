"""Unpacks untrusted archives of videos: each needed file is written completely, below the target.

This process reads the members one after another and copies them. Paths outside the target, links,
devices and more bytes than announced are errors. Complete files are not written again, so the same
call resumes after a kill. Python reads zip and tar (`readers`). The first working program of
`external` reads rar and other formats.
"""

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.dataset.archives.external import external_readers
from mafnet.dataset.archives.readers import (
    CHUNK,
    Item,
    Member,
    Reader,
    decompression,
    read_tar,
    read_zip,
)

DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, RuntimeError,
    NotImplementedError, ValueError, gzip.BadGzipFile,
)  # fmt: skip
"""Exceptions of the readers for truncated, damaged or encrypted archives."""


@dataclass(frozen=True)
class Limits:
    """Maximum contents of an archive.

    members: number of entries of any kind. total_bytes: their unpacked bytes, by the headers. Both
    count entries that are not needed too, because a compressed archive is read through them.
    """

    members: int = 500_000
    total_bytes: int = 300 * 10**9


def unpack(
    archive: Path, target: Path, wanted: Callable[[str], bool], limits: Limits | None = None
) -> list[Member]:
    """Unpack the needed files of an archive below `target`; returns them with their new names.

    MafnetError if the archive is damaged, unsafe, too large or of an unknown format.
    """
    fault: MafnetError | None = None
    for reader in _readers(archive):
        try:
            return list(_unpack(archive, reader(archive), target, wanted, limits or Limits()))
        except _UnreadableError as error:
            fault = MafnetError(
                f"{archive}: is damaged or of an unknown format ({error}); download it again"
            )
        except OSError as error:
            raise MafnetError(
                f"{archive}: cannot be unpacked to {target} ({error.strerror or error}); check "
                "that the disk has free space and the folder is writable"
            ) from error
    assert fault is not None
    raise fault


class _UnreadableError(Exception):
    """This reader cannot read the archive to its end; another reader may succeed."""


def _readers(archive: Path) -> Iterator[Reader]:
    """The readers for the archive's format, by its first bytes."""
    try:
        with archive.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise MafnetError(
            f"{archive}: cannot be read ({error.strerror}); name the archive"
        ) from error
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield read_zip
    elif decompression(start) or tarfile.is_tarfile(archive):
        yield read_tar
    else:
        yield from external_readers(archive)


def _unpack(
    archive: Path,
    items: Iterator[Item],
    target: Path,
    wanted: Callable[[str], bool],
    limits: Limits,
) -> Iterator[Member]:
    """Write the needed entries, one after another."""
    seen = total = 0
    for member, open_member in _checked(items):
        seen += 1
        path = safe_path(archive, member.name)
        total += member.size
        if seen > limits.members or total > limits.total_bytes:
            raise MafnetError(
                f"{archive}: contains more than {limits.members} entries or {limits.total_bytes} "
                "bytes; this is not the expected archive"
            )
        if not wanted(path):
            continue
        if not member.regular:
            raise MafnetError(f"{archive}: {member.name!r} is a link or device; do not use it")
        if _size(target / path) != member.size:
            _write(member, open_member, target / path)
        yield Member(path, member.size, member.crc32)


def _checked(items: Iterator[Item]) -> Iterator[Item]:
    """The items; converts all exceptions of a reader to _UnreadableError."""
    try:
        yield from items
    except DAMAGE as error:
        raise _UnreadableError(str(error) or type(error).__name__) from error


def safe_path(archive: Path, name: str) -> str:
    """An entry's name as a path below the target; MafnetError for any other path."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = path.parts and path.parts[0].endswith(":")
    if path.is_absolute() or ".." in path.parts or drive or "\0" in name or not path.parts:
        raise MafnetError(
            f"{archive}: {name!r} would be written outside of the target; do not use this archive"
        )
    return str(path)


def _write(member: Member, open_member: Callable[[], IO[bytes]], path: Path) -> None:
    """Copy one entry to its path, atomically."""
    with _damage_of(member), replacing(path) as beside:
        size = crc = 0
        with open_member() as source, beside.open("wb") as file:
            while size <= member.size and (chunk := source.read(CHUNK)):
                size, crc = size + len(chunk), zlib.crc32(chunk, crc)
                file.write(chunk)
        if size != member.size or member.crc32 not in (None, crc):
            raise _UnreadableError(
                f"{member.name} differs from the size or checksum in the archive"
            )


@contextmanager
def _damage_of(member: Member) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise _UnreadableError(f"{member.name}: {error or type(error).__name__}") from error


def _size(path: Path) -> int:
    """Size of a file in bytes, -1 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
