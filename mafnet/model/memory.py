"""Memory of a process that makes and frees large arrays all the time."""

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Options of glibc's mallopt."""


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for what is allocated next; where it is glibc.

    By default it gives large arrays back and gets fresh pages for the next ones, which the system
    has to clear: a fifth of a training step. To be called once by a command: it is the process's.
    """
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
