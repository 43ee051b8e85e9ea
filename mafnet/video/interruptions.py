"""Faults of the machine while a file is read, in contrast to faults of the file."""

import errno
import signal
from collections.abc import Sequence

from mafnet.common.errors import MachineError
from mafnet.video.media import Media
from mafnet.video.status import Status

_OWN_SIGNALS = (
    signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP,
    signal.SIGSYS,
)  # fmt: skip
"""Signals of faults in the program. The others come from outside: a user, a limit, the system."""

_OF_THE_NAME = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
"""Errors of the system that say something about the path; others are those of a disk or network."""


def from_outside(status: int) -> bool:
    """True if a process with this exit status was ended by a signal from outside."""
    return status < 0 and -status not in _OWN_SIGNALS


def of_the_machine(error: Exception) -> bool:
    """True for an error of the system that may not come again, such as EIO or ESTALE."""
    return isinstance(error, OSError) and error.errno not in (None, *_OF_THE_NAME)


def require_none(rows: Sequence[Media]) -> None:
    """MachineError if the reading of a video was interrupted: that is never kept in a file."""
    interrupted = [row for row in rows if row.status == Status.INTERRUPTED]
    if interrupted:
        first = interrupted[0]
        raise MachineError(
            f"{first.video}: reading was interrupted twice ({first.error}); {len(interrupted)} of "
            f"{len(rows)} videos; check the disk and the limits of the machine, and run the same "
            "command again"
        )
