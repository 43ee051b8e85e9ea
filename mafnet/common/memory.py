"""Memory of a process that often allocates and frees large arrays."""

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Options of glibc's mallopt."""


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next arrays; other C libraries stay as they are.

    By default glibc returns the memory of large arrays to the system. The system must clear the
    pages of the next arrays, which takes a fifth of a training step and a third of a calibration.
    A command calls this once, because it changes the whole process.
    """
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
