"""HDF5 files of plain arrays, written so that a full disk is an error.

HDF5 itself crashes the process on some failed writes. So it only lays the file out, in memory; what
goes to the disk goes there by Python.
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

PAGE = 4096


class SparseMemory(io.RawIOBase):
    """A file in memory that holds the pages that were written; what lies between is zeros."""

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}
        self._position = 0
        self._size = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; returns it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = origin[whence] + offset
        return self._position

    def tell(self) -> int:
        """The place of the next byte."""
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the size; what lies behind it is kept, as HDF5 only ever grows a new file."""
        self._size = self._position if size is None else size
        return self._size

    def write(self, data: memoryview) -> int:
        """Write bytes; never fails."""
        content = bytes(data)
        for start, place, count in self._parts(len(content)):
            page = self.pages.setdefault(place // PAGE, bytearray(PAGE))
            page[place % PAGE : place % PAGE + count] = content[start : start + count]
        self._advance(len(content))
        self._size = max(self._size, self._position)
        return len(content)

    def readinto(self, buffer: memoryview) -> int:
        """Read bytes, zeros where none were written."""
        view = memoryview(buffer).cast("B")
        for start, place, count in self._parts(len(view)):
            page = self.pages.get(place // PAGE, bytes(PAGE))
            view[start : start + count] = page[place % PAGE : place % PAGE + count]
        self._advance(len(view))
        return len(view)

    def _parts(self, size: int) -> Iterator[tuple[int, int, int]]:
        """(start, place, count) of what each page takes of so many bytes from here on."""
        start = 0
        while start < size:
            place = self._position + start
            count = min(PAGE - place % PAGE, size - start)
            yield start, place, count
            start += count

    def _advance(self, size: int) -> None:
        self._position += size


@dataclass(frozen=True)
class Layer:
    """A contiguous array (N, ...) in a file that is being written; zeros until they are."""

    file: io.FileIO
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def write(self, row: int, values: np.ndarray) -> None:
        """Write the first values of a row; MafnetError if the disk will not take them."""
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        _write(self.file, self.offset + row * row_bytes, values.astype(self.dtype).tobytes())

    @property
    def end(self) -> int:
        """Where the array ends in the file."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def new_hdf5(
    path: Path, describe: Callable[[h5py.File], None], arrays: dict[str, tuple[tuple, type]]
) -> Iterator[dict[str, Layer]]:
    """A new HDF5 file, all layers zero; MafnetError if the disk will not take it.

    describe: writes small datasets and attributes.
    arrays: shape and type of every layer by name.
    """
    memory = SparseMemory()
    with h5py.File(memory, "w") as layout:
        describe(layout)
        datasets = {name: _allocated(layout, name, *array) for name, array in arrays.items()}
        places = {name: (d.id.get_offset(), d.shape, d.dtype) for name, d in datasets.items()}
    with _written(path):
        file = io.FileIO(path, "w")
    with file:
        layers = {name: Layer(file, *place) for name, place in places.items()}
        for number, page in memory.pages.items():
            _write(file, number * PAGE, page)
        with _written(path):
            file.truncate(max(memory.seek(0, io.SEEK_END), *(each.end for each in layers.values())))
        yield layers


def _allocated(file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    """A dataset that has its place in the file though nothing is written to it."""
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    options.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    options.set_obj_track_times(False)  # the same content gives the same bytes, whenever
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    space = h5py.h5s.create_simple(shape)
    return h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, options))


def _write(file: io.FileIO, place: int, content: bytes) -> None:
    """Write bytes at a place, all of them; MafnetError if the disk will not take them."""
    left = memoryview(content)
    with _written(Path(file.name)):
        file.seek(place)
        while left:
            left = left[file.write(left) :]


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """MafnetError for whatever the system says against writing."""
    try:
        yield
    except OSError as error:
        raise MafnetError(
            f"{path}: cannot be written ({error.strerror}); make room and run again"
        ) from error
