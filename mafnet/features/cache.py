"""The cache of clip features: one checked file a video and fingerprint.

    {cache}/{backbone}/{fingerprint[:16]}/fingerprint.json
    {cache}/{backbone}/{fingerprint[:16]}/{sha256[:2]}/{sha256}.clips
    {cache}/writing/{host}-{pid}-...        half-written entries

An entry holds the clips that the video has; what is past its end is padding and not stored. It is
one line of text, the header, which says whose features these are and carries its own checksum and
that of every clip, and then the clips one after the other. Nothing is taken from a file before its
checksum is right: HDF5's reader crashes on some flipped bits. Entries are renamed into place, so
several processes may share the cache, and it may be deleted at any time.
"""

import hashlib
import json
import math
import os
import re
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.features.fingerprint import Fingerprint

HEADER_BYTES = 1 << 16
"""More than any header has: the decoder's message is a few hundred characters."""


class DamagedEntryError(Exception):
    """An entry that is not what was written; its text says which file and why."""


@dataclass(frozen=True)
class Entry:
    """The features of one video.

    clips: (n, *feature_shape) float16, n <= T, the clips the video has.
    warnings: names of what decoding found odd.
    error: the decoder's message; `error_lines` counts its lines.
    """

    clips: np.ndarray
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_lines: int = 0


@dataclass(frozen=True)
class Header:
    """An entry without its features.

    clips: how many there are. shape: of one of them.
    blocks: bytes and checksum of each clip as it is stored.
    """

    clips: int
    warnings: tuple[str, ...]
    error: str
    error_lines: int
    shape: tuple[int, ...]
    blocks: tuple[tuple[int, str], ...]


class FeatureCache:
    """The entries of one fingerprint below a cache's root folder."""

    def __init__(self, root: Path, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self._writing = root / "writing"
        self._folder = root / fingerprint.backbone / fingerprint.digest[:16]

    def path(self, sha256: str) -> Path:
        """Where the entry of the video with these bytes lies."""
        return self._folder / sha256[:2] / f"{sha256}.clips"

    def header(self, sha256: str) -> Header | None:
        """An entry's header, or None if there is none that can be read."""
        try:
            with self.path(sha256).open("rb") as file:
                return self._header(file, sha256)
        except (OSError, DamagedEntryError):
            return None

    def read(self, sha256: str) -> Entry:
        """Read an entry and check every clip; DamagedEntryError if it is absent or damaged."""
        path = self.path(sha256)
        try:
            with path.open("rb") as file:
                header = self._header(file, sha256)
                blocks = [file.read(size) for size, _ in header.blocks]
        except OSError as error:
            raise DamagedEntryError(f"{path}: cannot be read ({error.strerror})") from error
        clips = np.zeros((header.clips, *header.shape), np.float16)
        for index, (block, (_, checksum)) in enumerate(zip(blocks, header.blocks, strict=True)):
            if _checksum(block) != checksum:
                raise DamagedEntryError(f"{path}: clip {index} is not what was written")
            clips[index] = unpacked(block, header.shape)
        return Entry(clips, header.warnings, header.error, header.error_lines)

    def write(self, sha256: str, entry: Entry) -> None:
        """Write an entry, whole or not at all; MafnetError if the disk will not take it."""
        path = self.path(sha256)
        try:
            self._describe()
            self._put(path, self._content(sha256, entry))
        except OSError as error:
            raise MafnetError(
                f"{path}: cannot be written ({error.strerror or error}); "
                "make room or give features.cache another folder"
            ) from error

    def discard(self, sha256: str) -> None:
        """Remove an entry; MafnetError if the disk will not let it go."""
        path = self.path(sha256)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise MafnetError(
                f"{path}: is damaged and cannot be removed ({error.strerror}); remove it or give "
                "features.cache another folder"
            ) from error

    def sweep(self) -> None:
        """Remove half-written entries of processes of this machine that are no more."""
        # The whole name is matched: machine "node" must not take "node-7-..." for its own.
        ours = re.compile(rf"{re.escape(socket.gethostname())}-(\d+)-\w+")
        for path in self._writing.glob("*"):
            match = ours.fullmatch(path.name)
            if match and not _alive(int(match[1])):
                with suppress(OSError):  # what cannot be tidied up does not stop the work
                    path.unlink()

    def _describe(self) -> None:
        """Leave the fingerprint beside its entries, for people and `mafnet doctor`."""
        description = self._folder / "fingerprint.json"
        if not description.exists():
            text = json.dumps(self.fingerprint.as_dict(), indent=2) + "\n"
            self._put(description, text.encode())

    def _put(self, path: Path, content: bytes) -> None:
        """Write a file by way of one of this process's own; OSError leaves nothing behind."""
        self._writing.mkdir(parents=True, exist_ok=True)
        # Not tempfile: what it makes only its owner can read, and the cache may be shared.
        beside = self._writing / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            beside.write_bytes(content)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def _content(self, sha256: str, entry: Entry) -> bytes:
        """An entry's bytes; the same entry gives the same ones."""
        blocks = [packed(clip) for clip in entry.clips]
        header = {
            "video": sha256,
            "fingerprint": self.fingerprint.digest,
            "shape": entry.clips.shape[1:],
            "blocks": [(len(block), _checksum(block)) for block in blocks],
            "warnings": entry.warnings,
            "error": entry.error,
            "error_lines": entry.error_lines,
        }
        text = json.dumps(header).encode()
        return b"".join((_checksum(text).encode(), b" ", text, b"\n", *blocks))

    def _header(self, file: BinaryIO, sha256: str) -> Header:
        """The header at an open entry's start; DamagedEntryError if it is none or another's."""
        line = file.readline(HEADER_BYTES)
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or _checksum(text).encode() != checksum:
            raise DamagedEntryError(f"{file.name}: its header is not what was written")
        header = json.loads(text)
        if (header["video"], header["fingerprint"]) != (sha256, self.fingerprint.digest):
            raise DamagedEntryError(f"{file.name}: belongs to another video or fingerprint")
        return Header(
            clips=len(header["blocks"]),
            warnings=tuple(header["warnings"]),
            error=header["error"],
            error_lines=header["error_lines"],
            shape=tuple(header["shape"]),
            blocks=tuple(map(tuple, header["blocks"])),
        )


def packed(clip: np.ndarray) -> bytes:
    """A float16 map as bytes: one bit a value, set where it is not zero, then those values.

    Maps are post-ReLU and mostly zeros: about 0.35 of their size, as zstd has it, but faster, and
    by numpy alone. Bits are kept, of -0 and NaN too.
    """
    bits = np.ascontiguousarray(clip, "<f2").view("<u2").ravel()
    present = bits != 0
    return np.packbits(present).tobytes() + bits[present].tobytes()


def unpacked(block: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The float16 map (*shape) of what `packed` made."""
    count = math.prod(shape)
    mask_bytes = -(-count // 8)
    present = np.unpackbits(np.frombuffer(block, np.uint8, mask_bytes), count=count).view(bool)
    bits = np.zeros(count, "<u2")
    bits[present] = np.frombuffer(block, "<u2", offset=mask_bytes)
    return bits.view("<f2").reshape(shape)


def _checksum(content: bytes) -> str:
    """16 bytes over the content, in hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _alive(pid: int) -> bool:
    """True if a process of that number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
