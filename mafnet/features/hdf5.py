"""Writes HDF5 files of plain arrays; a full disk is an error, not a crash.

HDF5 crashes the process when some of its writes fail. So HDF5 only creates the layout of the file,
in memory, and Python writes to the disk. Reserved space (posix_fallocate) and a mapped file are not
safe: compressing, copy-on-write and remote file systems and quotas can refuse a write into reserved
space, and in a mapped file this is the signal SIGBUS.

What is in a file can be checked. Before HDF5's part is a block of USER_BLOCK bytes with the SHA-256
of all that HDF5 wrote: HDF5 itself reads damaged files, and crashes on some of them. The dataset
`checksums` (N, layers) has the CRC-32 of each row of each layer, so that a reader checks only the
rows that it reads. (SHA-256 would take three times as long.)
"""

import hashlib
import io
import json
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

USER_BLOCK = 1024
SIGNATURE = b"\x89HDF"
CHECKSUMS = "checksums"
CHUNK = 1 << 20


class _Layout(io.RawIOBase):
    """A file in memory for HDF5's layout: keeps the writes in order and is zero elsewhere.

    HDF5 writes some hundred times and reads a few times, for hundreds of thousands of videos.

    writes: position and content. size: bytes of the file.
    """

    def __init__(self) -> None:
        self.writes: list[tuple[int, bytes]] = []
        self.size = 0
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position; returns it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}
        self._position = origin[whence] + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the size; HDF5 only makes a new file larger."""
        self.size = self._position if size is None else size
        return self.size

    def write(self, data: memoryview) -> int:
        """Store a write."""
        self.writes.append((self._position, bytes(data)))
        self.size = max(self.size, self.seek(len(data), io.SEEK_CUR))
        return len(data)

    def readinto(self, buffer: memoryview) -> int:
        """Read what was written; never fewer bytes than requested."""
        view = memoryview(buffer).cast("B")
        start, end = self._position, self.seek(len(view), io.SEEK_CUR)
        view[:] = bytes(len(view))
        for position, content in self.writes:
            first, last = max(position, start), min(position + len(content), end)
            if first < last:
                view[first - start : last - start] = content[first - position : last - position]
        return len(view)

    def seal(self) -> bytes:
        """JSON with the written ranges [start, end) and the SHA-256 of their content."""
        ranges: list[list[int]] = []
        for start, end in sorted((at, at + len(content)) for at, content in self.writes):
            if ranges and start <= ranges[-1][1]:
                ranges[-1][1] = max(ranges[-1][1], end)
            else:
                ranges.append([start, end])
        digest = hashlib.sha256()
        for start, end in ranges:
            self.seek(start)
            digest.update(self.read(end - start))
        text = json.dumps({"sha256": digest.hexdigest(), "written": ranges}).encode()
        return text.ljust(USER_BLOCK, b"\0")


@dataclass(frozen=True)
class Layer:
    """A contiguous array (N, ...) in a file that is being written, initially zero.

    checksum: position of the checksum of row 0. checksum_step: bytes to that of the next row.
    """

    file: io.FileIO
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    checksum: int
    checksum_step: int

    def write(self, row: int, values: np.ndarray) -> None:
        """Write the first values of a row, and its checksum; OSError if writing fails."""
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        content = values.astype(self.dtype).tobytes()
        _write(self.file, self.offset + row * row_bytes, content)
        found = zlib.crc32(bytes(row_bytes - len(content)), zlib.crc32(content))
        position = self.checksum + row * self.checksum_step
        _write(self.file, position, found.to_bytes(4, "little"))

    @property
    def end(self) -> int:
        """Position of the array's end in the file."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def new_hdf5(
    path: Path, describe: Callable[[h5py.File], None], arrays: dict[str, tuple[tuple, type]]
) -> Iterator[dict[str, Layer]]:
    """Create an HDF5 file whose layers are zero; OSError if writing fails.

    describe: writes small datasets and attributes.
    arrays: shape and type of every layer by name; all have N rows.
    """
    layout = _Layout()
    rows = next(iter(arrays.values()))[0][0]
    with h5py.File(layout, "w", userblock_size=USER_BLOCK) as described:
        describe(described)
        checksums = _allocated(described, CHECKSUMS, (rows, len(arrays)), np.dtype("<u4"))
        checksums.attrs["layers"] = list(arrays)
        first, step = checksums.id.get_offset(), 4 * len(arrays)
        datasets = {name: _allocated(described, name, *array) for name, array in arrays.items()}
        found = {name: (d.id.get_offset(), d.shape, d.dtype) for name, d in datasets.items()}
    with io.FileIO(path, "w") as file:
        layers = {
            name: Layer(file, *where, first + 4 * column, step)
            for column, (name, where) in enumerate(found.items())
        }
        for position, content in [(0, layout.seal()), *layout.writes]:
            _write(file, position, content)
        ends = [each.end for each in layers.values()]
        file.truncate(max(layout.size, first + rows * step, *ends))
        yield layers


def require_layout(path: Path) -> None:
    """ValueError if HDF5's part of a file is not as it was written.

    A file of an earlier version begins with HDF5's part and passes.
    """
    with path.open("rb") as file:
        block = file.read(USER_BLOCK)
        if block.startswith(SIGNATURE):
            return
        seal = json.loads(block.rstrip(b"\0"))
        digest = hashlib.sha256()
        for start, end in seal["written"]:
            file.seek(start)
            for position in range(start, end, CHUNK):
                digest.update(file.read(min(CHUNK, end - position)))
    if digest.hexdigest() != seal["sha256"]:
        raise ValueError("its description is damaged")


def _allocated(file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    """A dataset whose space in the file is allocated though nothing is written to it."""
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    options.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    options.set_obj_track_times(False)  # equal content must give equal bytes at any time
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    space = h5py.h5s.create_simple(shape)
    return h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, options))


def _write(file: io.FileIO, position: int, content: bytes) -> None:
    """Write all bytes at a position; OSError if writing fails."""
    left = memoryview(content)
    file.seek(position)
    while left:
        left = left[file.write(left) :]
