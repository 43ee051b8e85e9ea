"""HDF5 files on disks that may be full."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from mafnet.errors import MafnetError


class PatientFile(io.FileIO):
    """A new file that keeps a failed write to itself, until `check` raises it.

    HDF5 crashes the process when it is told of one while it closes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._fault: OSError | None = None

    def write(self, data: memoryview) -> int:
        """Write all of the data, or nothing more after a failure; says that all was written."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left and not self._fault:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self._fault = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Give the file a size."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._fault = self._fault or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """MafnetError if anything could not be written."""
        if self._fault:
            raise MafnetError(
                f"{self.name}: cannot be written ({self._fault.strerror}); make room and run again"
            )


@contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[h5py.File, PatientFile]]:
    """A new HDF5 file, and what lies below it; MafnetError at the end if it is not whole."""
    try:
        raw = PatientFile(path)
    except OSError as error:
        raise MafnetError(f"{path}: cannot be written ({error.strerror})") from error
    with raw:
        try:
            with h5py.File(raw, "w") as file:
                yield file, raw
        except (OSError, RuntimeError):
            raw.check()  # HDF5 stumbled over what is missing
            raise
        raw.check()
