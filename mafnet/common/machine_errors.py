"""One line for errors of the machine: what is full, broken or forbidden, and what to do."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mafnet.common.errors import MachineError

_PERMISSION = "change its permissions, or choose another folder"
_DISK = "check the disk or the network"
_IN_THE_WAY = "remove the file that is in the place of a folder, or choose another folder"

ADVICE = {
    errno.ENOSPC: "free some disk space, or choose a folder on another disk",
    errno.EDQUOT: "free some of your quota, or choose a folder on another disk",
    errno.EFBIG: "free some room: raise the limit of the size of a file (ulimit -f)",
    errno.EROFS: "choose a folder on another disk, this one is read-only",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EIO: _DISK,
    errno.ESTALE: _DISK,
    errno.ETIMEDOUT: _DISK,
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, too many files are open",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "remove the folder that is in the place of the file, or choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""What to do about errors of the system; others are faults of mafnet and keep their traceback."""

_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|bad.alloc|can't start new thread",
    re.IGNORECASE,
)

_LESS_MEMORY = {
    "extract": "--set-threads extract=2 takes less",
    "train": "a smaller model.training.batch_size takes less (and changes results), on a GPU also "
    "a smaller model.runs_per_gpu",
    "evaluate": "a smaller model.evaluation.batch_size takes less, on a GPU also a smaller "
    "model.runs_per_gpu",
    "probe": "--set-threads probe=1 takes less",
}
"""Settings that make a command take less memory."""


@contextmanager
def writing(path: Path, beside: Path) -> Iterator[None]:
    """MachineError if a file cannot be written.

    beside: its temporary file. An error that names another file keeps its name.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in ADVICE:
            raise
        if error.filename is None or str(error.filename) == str(beside):
            raise MachineError(_line(error, path, "written")) from error
        raise MachineError(_line(error, error.filename)) from error


def raise_disk_error(text: str) -> None:
    """OSError if the messages of another program say that it could not write."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS):
        if os.strerror(number) in text:
            raise OSError(number, os.strerror(number))


def described(error: Exception, command: str) -> str | None:
    """The line for an error of the machine; None for another error.

    command: its memory settings are named if memory ran out.
    """
    if _is_of_memory(error):
        less = _LESS_MEMORY.get(command, "fewer jobs at a time take less")
        return (
            f"memory ran out ({_first_line(error)}); {less}; --resources mem_mb=MEGABYTES limits "
            "the jobs that run at a time"
        )
    if isinstance(error, OSError) and error.errno in ADVICE:
        return _line(error, error.filename or "the output")
    return None


def _line(error: OSError, path: object, what: str = "used") -> str:
    advice = f"{ADVICE[error.errno]}; then run the same command again"
    return f"{path}: cannot be {what} ({os.strerror(error.errno)}); {advice}"


def _is_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    text = str(error)
    if isinstance(error, ImportError):  # a library does not fit; "not permitted": a noexec disk
        return "failed to map segment" in text and "not permitted" not in text
    return isinstance(error, RuntimeError) and bool(_MEMORY.search(text))


def _first_line(error: Exception) -> str:
    """The first sentence of an error's text, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]
