"""Names of files that are being written, which tell if their process still runs.

A name consists of the machine, the process and a random part. So two writers never use the same
file, and what a killed process left behind can be removed.
"""

import os
import re
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"\.?(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{32}(?:\.tmp)?")

FOREIGN_SECONDS = 7 * 24 * 3600.0
"""Age from which a file of another machine counts as a remain; its processes cannot be seen."""


def temporary_name() -> str:
    """A new name for a file of this process."""
    # Not tempfile: only the owner can read its files, and folders may be shared.
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"


def sweep(folder: Path) -> None:
    """Remove temporary files in a folder whose process has ended, as far as that is allowed."""
    for path in folder.glob("*"):
        match = _NAME.fullmatch(path.name)
        if match:
            with suppress(OSError):  # a file that cannot be removed does no harm
                if _is_left(path, match["host"], int(match["pid"])):
                    path.unlink()


def is_running(pid: int) -> bool:
    """True if a process with this id runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_left(path: Path, host: str, pid: int) -> bool:
    """True if the process that wrote a file has ended."""
    if host == socket.gethostname():
        return not is_running(pid)
    return time.time() - path.stat().st_mtime > FOREIGN_SECONDS
