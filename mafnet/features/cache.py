"""The cache of clip features: one checked file a video and fingerprint.

    {cache}/{backbone}/{fingerprint[:16]}/fingerprint.json
    {cache}/{backbone}/{fingerprint[:16]}/{sha256[:2]}/{sha256}.clips
    {cache}/writing/{host}-{pid}-...        files that are being written

An entry stores the clips of a video. Padding clips are not stored. An entry begins with one line of
text, the header: it names the video and the fingerprint, and has the checksums of itself and of
every clip. The clips follow. Data is used only after its checksum was verified. (HDF5 is not used
here, because its reader crashes on some flipped bits.) Entries are renamed into place. So several
processes may share the cache, and it may be deleted at any time.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.temporary import sweep, temporary_name
from mafnet.features.fingerprint import Fingerprint

HEADER_BYTES = 1 << 16
"""Upper limit of a header's size; the decoder's message has a few hundred characters."""


class DamagedEntryError(Exception):
    """An entry that differs from what was written; the message names the file and the reason."""


@dataclass(frozen=True)
class Entry:
    """The features of one video.

    clips: (n, *feature_shape) float16, n <= T, the clips of the video.
    warnings: names of MediaWarning.
    error: the decoder's message; `error_lines` counts its lines.
    lost_frames: number of frames or audio packets that are corrupt or could not be decoded.
    repairs: what decoding did differently for this file (Media.repairs); "" for most files.
    """

    clips: np.ndarray
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_lines: int = 0
    lost_frames: int = 0
    repairs: str = ""


@dataclass(frozen=True)
class Header:
    """An entry without its features.

    clips: number of clips. shape: shape of one clip.
    blocks: number of bytes and checksum of each stored clip.
    lost_frames: None in an entry of a version that did not count them.
    """

    clips: int
    warnings: tuple[str, ...]
    error: str
    error_lines: int
    lost_frames: int | None
    repairs: str
    shape: tuple[int, ...]
    blocks: tuple[tuple[int, str], ...]

    def require_fit(self, size: int) -> None:
        """ValueError if the clips cannot be in `size` bytes; a reader allocates what they need."""
        sizes = [block for block, _ in self.blocks]
        if min((0, *self.shape, *sizes)) < 0 or sum(sizes) > size:
            raise ValueError("its clips are larger than the file")
        values = math.prod(self.shape)
        if any(values > 8 * block for block in sizes):  # a mask has one bit a value
            raise ValueError("its clips are smaller than their shape")


class FeatureCache:
    """The entries of one fingerprint below a cache's root folder."""

    def __init__(self, root: Path, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self._writing = root / "writing"
        self._folder = root / fingerprint.backbone / fingerprint.digest[:16]

    def path(self, sha256: str) -> Path:
        """Path of the entry of the video with this sha256."""
        return self._folder / sha256[:2] / f"{sha256}.clips"

    def header(self, sha256: str) -> Header | None:
        """Header of an entry, or None if it is missing or unreadable."""
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
        for index, (block, (_, checksum)) in enumerate(zip(blocks, header.blocks, strict=True)):
            if _checksum(block) != checksum:
                raise DamagedEntryError(f"{path}: clip {index} is damaged")
        try:
            clips = np.zeros((header.clips, *header.shape), np.float16)
            for index, block in enumerate(blocks):
                clips[index] = unpacked(block, header.shape)
        except ValueError as error:
            raise DamagedEntryError(f"{path}: its clips are damaged ({error})") from error
        lost = header.lost_frames or 0
        messages = (header.warnings, header.error, header.error_lines, lost, header.repairs)
        return Entry(clips, *messages)

    def write(self, sha256: str, entry: Entry) -> None:
        """Write an entry, complete or not at all; MafnetError if writing fails."""
        path = self.path(sha256)
        try:
            self._describe()
            self._put(path, self._content(sha256, entry))
        except OSError as error:
            raise MafnetError(
                f"{path}: cannot be written ({error.strerror or error}); "
                "free some disk space or set features.cache to another folder"
            ) from error

    def discard(self, sha256: str) -> None:
        """Remove an entry; MafnetError if it cannot be removed."""
        path = self.path(sha256)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise MafnetError(
                f"{path}: is damaged and cannot be removed ({error.strerror}); remove it or set "
                "features.cache to another folder"
            ) from error

    def sweep(self) -> None:
        """Remove unfinished files of processes that have ended."""
        sweep(self._writing)

    def _describe(self) -> None:
        """Write the fingerprint next to its entries, for people and `mafnet doctor`."""
        description = self._folder / "fingerprint.json"
        if not description.exists():
            text = json.dumps(self.fingerprint.as_dict(), indent=2) + "\n"
            self._put(description, text.encode())

    def _put(self, path: Path, content: bytes) -> None:
        """Write a file through a temporary file, which is removed after an OSError."""
        self._writing.mkdir(parents=True, exist_ok=True)
        beside = self._writing / temporary_name()
        try:
            beside.write_bytes(content)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def _content(self, sha256: str, entry: Entry) -> bytes:
        """Bytes of an entry; equal entries have equal bytes."""
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
        # Left out of most entries, which so keep the bytes that earlier versions gave them.
        if entry.error_lines or entry.lost_frames:
            header["lost_frames"] = entry.lost_frames
        if entry.repairs:
            header["repairs"] = entry.repairs
        text = json.dumps(header).encode()
        return b"".join((_checksum(text).encode(), b" ", text, b"\n", *blocks))

    def _header(self, file: BinaryIO, sha256: str) -> Header:
        """Header of an open entry; DamagedEntryError if it is damaged or of another video."""
        line = file.readline(HEADER_BYTES)
        checksum, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or _checksum(text).encode() != checksum:
            raise DamagedEntryError(f"{file.name}: its header is damaged")
        # Another program can write any header with a right checksum.
        try:
            values = json.loads(text)
            owner = values["video"], values["fingerprint"]
            header = _parsed(values)
            header.require_fit(os.fstat(file.fileno()).st_size - file.tell())
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise DamagedEntryError(f"{file.name}: its header is damaged ({error})") from error
        if owner != (sha256, self.fingerprint.digest):
            raise DamagedEntryError(f"{file.name}: belongs to another video or fingerprint")
        return header


def _parsed(values: dict) -> Header:
    """The header with these values; any of several exceptions if one is wrong."""
    lines, lost = int(values["error_lines"]), values.get("lost_frames")
    return Header(
        clips=len(values["blocks"]),
        warnings=tuple(map(str, values["warnings"])),
        error=str(values["error"]),
        error_lines=lines,
        lost_frames=(None if lines else 0) if lost is None else int(lost),
        repairs=str(values.get("repairs", "")),
        shape=tuple(map(int, values["shape"])),
        blocks=tuple((int(size), str(checksum)) for size, checksum in values["blocks"]),
    )


def packed(clip: np.ndarray) -> bytes:
    """A float16 map as bytes: a bit mask of the nonzero values, then these values.

    Maps come after a ReLU and are mostly zero. The result has about 0.35 of their size, like zstd,
    but is faster to make and needs only numpy. All bits are kept, also those of -0 and NaN.
    """
    bits = np.ascontiguousarray(clip, "<f2").view("<u2").ravel()
    present = bits != 0
    return np.packbits(present).tobytes() + bits[present].tobytes()


def unpacked(block: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The float16 map (*shape) that `packed` encoded."""
    count = math.prod(shape)
    mask_bytes = -(-count // 8)
    present = np.unpackbits(np.frombuffer(block, np.uint8, mask_bytes), count=count).view(bool)
    bits = np.zeros(count, "<u2")
    bits[present] = np.frombuffer(block, "<u2", offset=mask_bytes)
    return bits.view("<f2").reshape(shape)


def _checksum(content: bytes) -> str:
    """Checksum of 16 bytes, in hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
