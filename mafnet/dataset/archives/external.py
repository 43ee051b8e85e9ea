"""Reads archives that Python cannot read (rar), with unrar, 7-Zip or bsdtar.

These programs write no files: they print the contents to standard output, and mafnet writes them.
unrar and 7-Zip list the entries with size and checksum, and then print all contents one after
another. The list tells where each file ends. bsdtar converts the archive to a tar stream without
checksums. It is the last choice, because in tests it did not detect changed bytes.
"""

import io
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mafnet.common.errors import MafnetError
from mafnet.dataset.archives.readers import CHUNK, Item, Member, Reader, tar_stream

log = logging.getLogger(__name__)

FIELD = re.compile(r"^\s*(Name|Path|Type|Folder|Size|CRC32|CRC|Attributes)\s*[:=]\s*(.*)$")

PROGRAMS: dict[str, tuple[list[str], list[str]]] = {
    "unrar": (["lt", "-p-", "--"], ["p", "-inul", "-p-", "--"]),
    "7zz": (["l", "-slt", "-ba", "-p-", "--"], ["x", "-so", "-y", "-p-", "--"]),
    "7z": (["l", "-slt", "-ba", "-p-", "--"], ["x", "-so", "-y", "-p-", "--"]),
}
"""Arguments of each program, for listing and for printing the contents."""


def external_readers(archive: Path) -> Iterator[Reader]:
    """A reader for each installed program; MafnetError if there is none."""
    names = [name for name in (*PROGRAMS, "bsdtar") if shutil.which(name)]
    if not names:
        raise MafnetError(
            f"{archive}: needs unrar, 7z or bsdtar (package libarchive-tools); install one of "
            "them, or unpack the archive manually and name the folder instead"
        )
    for name in names:
        log.info("reading %s with %s", archive.name, name)
        yield _bsdtar if name == "bsdtar" else _listed(name)


def _bsdtar(archive: Path) -> Iterator[Item]:
    """The entries, read with bsdtar."""
    log.warning("%s: bsdtar does not check every checksum; unrar and 7z do", archive.name)
    with _output(["bsdtar", "-c", "-f", "-", f"@{archive.resolve()}"]) as stream:
        yield from tar_stream(stream)


def _listed(program: str) -> Reader:
    """The reader for a program that lists and prints the contents."""
    listing, contents = PROGRAMS[program]

    def read(archive: Path) -> Iterator[Item]:
        path = str(archive.resolve())
        with _output([program, *listing, path]) as stream:
            members = parse_listing(stream.read().decode("utf-8", "replace"))
        if not members:
            raise ValueError(f"{program} finds no files in it")
        with _output([program, *contents, path]) as stream:
            yield from _parts(stream, members)

    return read


def parse_listing(text: str) -> list[Member]:
    """The plain files of a technical listing of 7-Zip (`7z l -slt`) or unrar (`unrar lt`)."""
    entries: list[dict[str, str]] = []
    for match in filter(None, map(FIELD.match, text.splitlines())):
        key, value = match.groups()
        if key in ("Name", "Path"):
            entries.append({"Name": value})
        elif entries:
            entries[-1][key] = value.strip()
    return [_member(entry) for entry in entries if not _is_folder(entry)]


def _is_folder(entry: dict[str, str]) -> bool:
    kind, attributes = entry.get("Type", ""), entry.get("Attributes", "")
    return entry.get("Folder") == "+" or kind == "Directory" or attributes.startswith("D")


def _member(entry: dict[str, str]) -> Member:
    crc = entry.get("CRC32") or entry.get("CRC")
    attributes = entry.get("Attributes", "").split()
    linked = entry.get("Type", "File") != "File" or any(a.startswith("l") for a in attributes)
    return Member(entry["Name"], int(entry["Size"]), int(crc, 16) if crc else None, not linked)


def _parts(stream: IO[bytes], members: Sequence[Member]) -> Iterator[Item]:
    """The contents one after another, each as its own stream."""
    for member in members:
        part = _Part(stream, member.size)
        yield member, _once(part)
        part.drain()


def _once(part: "_Part") -> Callable[[], IO[bytes]]:
    return lambda: part  # type: ignore[return-value]


class _Part(io.RawIOBase):
    """The next `size` bytes of a stream."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """At most `size` of the remaining bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._stream.read(wanted) if wanted else b""
        self._left -= len(chunk)
        return chunk

    def drain(self) -> None:
        """Skip the remaining bytes."""
        while self._left and (chunk := self._stream.read(min(CHUNK, self._left))):
            self._left -= len(chunk)

    def close(self) -> None:
        """Keep the stream open, because the next part follows."""


@contextmanager
def _output(command: list[str]) -> Iterator[IO[bytes]]:
    """The standard output of a program; ValueError with its last message if it fails.

    The program is stopped if the reader stops early.
    """
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    # Messages go to a file, because nothing reads a pipe meanwhile and it could fill up.
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            env=environment,
        )
        try:
            yield process.stdout
            while process.stdout.read(CHUNK):
                pass
            if process.wait():
                messages.seek(0)
                lines = messages.read().decode("utf-8", "replace").strip().splitlines()
                raise ValueError(f"{command[0]}: {lines[-1] if lines else process.returncode}")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
