"""Readers of zip and tar archives: entry by entry, in one pass."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHUNK = 1 << 20
DECOMPRESS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
"""Functions that open compressed files, by the first bytes. All of them verify checksums."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    crc32: checksum of its bytes; None if the archive has none.
    regular: False for links and devices.
    """

    name: str
    size: int
    crc32: int | None = None
    regular: bool = True


Item = tuple[Member, Callable[[], IO[bytes]]]
"""An entry, and a function that opens it; valid until the next entry is read."""

Reader = Callable[[Path], Iterator[Item]]


def read_zip(archive: Path) -> Iterator[Item]:
    """The entries of a zip file; Python verifies their CRC."""
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = info.external_attr >> 28
            if not info.is_dir():
                # 0: not written on Unix; 8: a plain file.
                member = Member(info.filename, info.file_size, info.CRC, kind in (0, 8))
                yield member, lambda info=info: file.open(info)


def read_tar(archive: Path) -> Iterator[Item]:
    """The entries of a tar file, compressed or not, in one pass."""
    with archive.open("rb") as file:
        start = file.read(8)
    decompress = decompression(start) or open
    with decompress(archive, "rb") as stream:
        yield from tar_stream(stream)


def tar_stream(stream: IO[bytes]) -> Iterator[Item]:
    """The entries of a tar stream. It is read to its end, because the checksum is there."""
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for info in tar:
            if not info.isdir():
                member = Member(info.name, info.size, None, info.isreg())
                yield member, lambda info=info: tar.extractfile(info)
    while stream.read(CHUNK):
        pass


def decompression(start: bytes) -> Callable | None:
    """The function that opens a file with these first bytes; None if it is not compressed."""
    return next((opener for magic, opener in DECOMPRESS.items() if start.startswith(magic)), None)
