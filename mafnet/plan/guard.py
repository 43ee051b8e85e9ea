"""The process that runs the workflow: its python, and its claim on the directory."""

import atexit
import fcntl
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import TextIO

from mafnet.common.errors import MafnetError

LOCK = "mafnet.lock"
HOLDER = "mafnet.holder"

_held: list[TextIO] = []


def claim_directory(folder: Path) -> None:
    """Claim the directory until this process ends; MafnetError if another process may hold it.

    folder: the directory's .snakemake. Two files in it make the claim:

    - mafnet.lock carries a lock of the kernel (flock), which ends with its process, even after
      SIGKILL. Some file systems have no flock, and some show it to one machine only.
    - mafnet.holder is created atomically, on network file systems as well. It says which process
      on which machine works here, and is removed when that process ends, except after SIGKILL.

    A leftover mafnet.holder of this machine is replaced, because flock shows that its process has
    ended. Any other one ends the run with one line that says what to type.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / HOLDER
    has_flock = _lock(folder / LOCK, holder)
    try:
        file = holder.open("x")
    except FileExistsError:
        if not has_flock or _host(holder) != socket.gethostname():
            raise MafnetError(
                f"{_describe(holder)} in {folder.resolve().parent}; wait for it or stop it. "
                f"If it no longer runs, type: rm {shlex.quote(str(holder.resolve()))}"
            ) from None
        file = holder.open("w")
    with file:
        file.write(f"{socket.gethostname()} {os.getpid()}\n")
    atexit.register(holder.resolve().unlink, missing_ok=True)


def _lock(path: Path, holder: Path) -> bool:
    """Hold a kernel lock on a file; False if its file system has none.

    MafnetError if another process holds it.
    """
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MafnetError(
            f"{_describe(holder)} in {path.resolve().parents[1]}; wait for it or stop it"
        ) from error
    except OSError:  # Lustre without -o flock: ENOSYS; NFS without a lock server: ENOLCK
        return False
    _held.append(file)
    return True


def _describe(holder: Path) -> str:
    """Who works in the directory, as far as mafnet.holder says."""
    words = _read(holder)
    process = f" (process {words[1]} on {words[0]})" if len(words) == 2 else ""
    return f"another snakemake{process} is at work"


def _host(holder: Path) -> str:
    """The machine that mafnet.holder names; empty if it names none."""
    return "".join(_read(holder)[:1])


def _read(holder: Path) -> list[str]:
    """The machine and the process id in mafnet.holder; nothing while it is being written."""
    try:
        return holder.read_text().split()
    except FileNotFoundError:
        return []


def put_python_on_path() -> None:
    """Make the python that runs Snakemake the first on the PATH of the jobs."""
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
