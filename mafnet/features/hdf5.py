"""Writes HDF5 files of plain arrays; a full disk is an error, not a crash.

HDF5 crashes the process when some of its writes fail. So HDF5 only creates the layout of the file,
in memory, and Python writes to the disk. Reserved space (posix_fallocate) and a mapped file are not
safe: compressing, copy-on-write and remote file systems and quotas can refuse a write into reserved
space, and in a mapped file this is the signal SIGBUS.
"""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mafnet.common.errors import MafnetError


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


@dataclass(frozen=True)
class Layer:
    """A contiguous array (N, ...) in a file that is being written, initially zero."""

    file: io.FileIO
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def write(self, row: int, values: np.ndarray) -> None:
        """Write the first values of a row; MafnetError if writing fails."""
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        _write(self.file, self.offset + row * row_bytes, values.astype(self.dtype).tobytes())

    @property
    def end(self) -> int:
        """Position of the array's end in the file."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def new_hdf5(
    path: Path, describe: Callable[[h5py.File], None], arrays: dict[str, tuple[tuple, type]]
) -> Iterator[dict[str, Layer]]:
    """Create an HDF5 file whose layers are zero; MafnetError if writing fails.

    describe: writes small datasets and attributes.
    arrays: shape and type of every layer by name.
    """
    layout = _Layout()
    with h5py.File(layout, "w") as described:
        describe(described)
        datasets = {name: _allocated(described, name, *array) for name, array in arrays.items()}
        found = {name: (d.id.get_offset(), d.shape, d.dtype) for name, d in datasets.items()}
    with _written(path):
        file = io.FileIO(path, "w")
    with file:
        layers = {name: Layer(file, *where) for name, where in found.items()}
        for position, content in layout.writes:
            _write(file, position, content)
        with _written(path):
            file.truncate(max(layout.size, *(each.end for each in layers.values())))
        yield layers


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
    """Write all bytes at a position; MafnetError if writing fails."""
    left = memoryview(content)
    with _written(Path(file.name)):
        file.seek(position)
        while left:
            left = left[file.write(left) :]


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """MafnetError if writing fails."""
    try:
        yield
    except OSError as error:
        raise MafnetError(
            f"{path}: cannot be written ({error.strerror}); free some disk space and run again"
        ) from error
