"""The cache of clip features: one checked HDF5 file a video and fingerprint.

    {cache}/{backbone}/{fingerprint[:16]}/fingerprint.json
    {cache}/{backbone}/{fingerprint[:16]}/{sha256[:2]}/{sha256}.h5
    {cache}/writing/{host}-{pid}-...        half-written entries

An entry holds the clips that the video has; what is past its end is padding and not stored. Every
clip carries a checksum over its values, its place, the video and the fingerprint. Entries are
renamed into place, so several processes may share the cache, and it may be deleted at any time.
"""

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from mafnet.errors import MafnetError
from mafnet.features.fingerprint import Fingerprint

COMPRESSION = hdf5plugin.Zstd(clevel=3)
"""Post-ReLU maps are mostly zeros: 0.36 of their float16 size at 200 MB/s (LAB, Storage)."""


class DamagedEntryError(Exception):
    """An entry that is not what was written; its text says which file and why."""


@dataclass(frozen=True)
class Entry:
    """The features of one video.

    clips: (n, *feature_shape) float16, n <= T, the clips the video has.
    warnings: names of what decoding found odd.
    error: the decoder's own words.
    """

    clips: np.ndarray
    warnings: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Header:
    """An entry without its features."""

    clips: int
    warnings: tuple[str, ...]
    error: str


class FeatureCache:
    """The entries of one fingerprint below a cache's root folder."""

    def __init__(self, root: Path, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self._writing = root / "writing"
        self._folder = root / fingerprint.backbone / fingerprint.digest[:16]

    def path(self, sha256: str) -> Path:
        """Where the entry of the video with these bytes lies."""
        return self._folder / sha256[:2] / f"{sha256}.h5"

    def header(self, sha256: str) -> Header | None:
        """An entry's header, or None if there is none that can be read."""
        try:
            with h5py.File(self.path(sha256), "r") as file:
                return self._header(file, sha256)
        except (OSError, DamagedEntryError):
            return None

    def read(self, sha256: str) -> Entry:
        """Read an entry and check every clip; DamagedEntryError if it is absent or damaged."""
        path = self.path(sha256)
        try:
            with h5py.File(path, "r") as file:
                header = self._header(file, sha256)
                clips, checksums = file["clips"][()], file["checksums"][()]
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise DamagedEntryError(f"{path}: cannot be read ({error})") from error
        if len(clips) != header.clips or clips.dtype != np.float16:
            raise DamagedEntryError(f"{path}: holds {clips.shape} {clips.dtype}")
        for index, clip in enumerate(clips):
            if self._checksum(sha256, index, clip) != checksums[index].tobytes():
                raise DamagedEntryError(f"{path}: clip {index} is not what was written")
        return Entry(clips, header.warnings, header.error)

    def write(self, sha256: str, entry: Entry) -> None:
        """Write an entry, whole or not at all; MafnetError if the disk will not take it."""
        path = self.path(sha256)
        beside = None
        try:
            self._describe()
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._new_file()
            self._fill(beside, sha256, entry)
            os.replace(beside, path)
        except OSError as error:
            raise MafnetError(
                f"{path}: cannot be written ({error.strerror or error}); "
                "make room or give features.cache another folder"
            ) from error
        finally:
            if beside is not None:
                beside.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove half-written entries of processes of this machine that are no more."""
        host = socket.gethostname()
        for path in self._writing.glob(f"{host}-*"):
            if not _alive(int(path.name.removeprefix(f"{host}-").split("-")[0])):
                path.unlink(missing_ok=True)

    def _describe(self) -> None:
        """Leave the fingerprint beside its entries, for people and `mafnet doctor`."""
        description = self._folder / "fingerprint.json"
        if not description.exists():
            beside = self._new_file()
            beside.write_text(json.dumps(self.fingerprint.as_dict(), indent=2) + "\n")
            self._folder.mkdir(parents=True, exist_ok=True)
            os.replace(beside, description)

    def _new_file(self) -> Path:
        """An empty file of this process's own to fill."""
        self._writing.mkdir(parents=True, exist_ok=True)
        prefix = f"{socket.gethostname()}-{os.getpid()}-"
        handle, name = tempfile.mkstemp(prefix=prefix, dir=self._writing)
        os.close(handle)
        return Path(name)

    def _fill(self, path: Path, sha256: str, entry: Entry) -> None:
        """Write the entry's content to a file."""
        with h5py.File(path, "w") as file:
            _create_clips(file, entry.clips)
            file["checksums"] = self._checksums(sha256, entry.clips)
            header = {
                "video": sha256,
                "fingerprint": self.fingerprint.digest,
                "clips": len(entry.clips),
                "warnings": list(entry.warnings),
                "error": entry.error,
            }
            file.attrs["header"] = json.dumps(header)

    def _header(self, file: h5py.File, sha256: str) -> Header:
        """The header of an open entry; DamagedEntryError if it is another's."""
        try:
            header = json.loads(file.attrs["header"])
            if (header["video"], header["fingerprint"]) != (sha256, self.fingerprint.digest):
                raise DamagedEntryError(f"{file.filename}: belongs to another video or fingerprint")
            return Header(header["clips"], tuple(header["warnings"]), header["error"])
        except (KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
            raise DamagedEntryError(f"{file.filename}: has no header ({error})") from error

    def _checksums(self, sha256: str, clips: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 16) uint8, one checksum a clip."""
        digests = [self._checksum(sha256, index, clip) for index, clip in enumerate(clips)]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(len(clips), 16)

    def _checksum(self, sha256: str, index: int, clip: np.ndarray) -> bytes:
        """16 bytes over a clip's values and where they belong."""
        place = f"{self.fingerprint.digest}/{sha256}/{index}".encode()
        digest = hashlib.blake2b(place, digest_size=16)
        digest.update(np.ascontiguousarray(clip))
        return digest.digest()


def _create_clips(file: h5py.File, clips: np.ndarray) -> None:
    """The dataset `clips`, one compressed chunk a clip."""
    if len(clips):
        chunks = (1, *clips.shape[1:])
        file.create_dataset("clips", data=clips, chunks=chunks, compression=COMPRESSION)
    else:
        file.create_dataset("clips", data=clips)


def _alive(pid: int) -> bool:
    """True if a process of that number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
