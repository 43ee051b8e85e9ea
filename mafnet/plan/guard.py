"""Locks the working directory for one Snakemake, and sets the Python of its jobs."""

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

_locked: list[TextIO] = []
"""Files whose kernel lock is held; closing a file would release its lock."""


def claim_directory(folder: Path) -> None:
    """Lock the directory until this process ends; MafnetError if another process may use it.

    folder: the directory's .snakemake. The lock consists of two files in it:

    - mafnet.lock has a kernel lock (flock), which ends with its process, even after SIGKILL. Some
      file systems have no flock, and on some it is visible to one machine only.
    - mafnet.holder is created atomically, on network file systems too. It contains the name of the
      machine and the process id. It is removed when the process ends, except after SIGKILL.

    A leftover mafnet.holder of this machine is replaced, because flock proves that its process has
    ended. With any other leftover file the run stops, and the message contains the command that
    removes the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / HOLDER
    has_flock = _lock(folder / LOCK, holder)
    try:
        file = holder.open("x")
    except FileExistsError:
        if not has_flock or _host(holder) != socket.gethostname():
            raise MafnetError(
                f"{_describe(holder)} in {folder.resolve().parent}; wait until it ends, or stop "
                f"it. If it no longer runs, type: rm {shlex.quote(str(holder.resolve()))}"
            ) from None
        file = holder.open("w")
    with file:
        file.write(f"{socket.gethostname()} {os.getpid()}\n")
    atexit.register(holder.resolve().unlink, missing_ok=True)


def _lock(path: Path, holder: Path) -> bool:
    """Lock a file with flock; False if the file system has no flock.

    MafnetError if another process has locked it.
    """
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MafnetError(
            f"{_describe(holder)} in {path.resolve().parents[1]}; wait until it ends, or stop it"
        ) from error
    except OSError:  # Lustre without -o flock: ENOSYS; NFS without a lock server: ENOLCK
        return False
    _locked.append(file)
    return True


def _describe(holder: Path) -> str:
    """The first words of the message about the other process; its id and machine if known."""
    fields = _read(holder)
    process = f" (process {fields[1]} on {fields[0]})" if len(fields) == 2 else ""
    return f"another snakemake{process} is running"


def _host(holder: Path) -> str:
    """The name of the machine in mafnet.holder; empty if the file is incomplete."""
    return "".join(_read(holder)[:1])


def _read(holder: Path) -> list[str]:
    """The machine and the process id in mafnet.holder; may be incomplete during writing."""
    try:
        return holder.read_text().split()
    except FileNotFoundError:
        return []


def start_again(moved: bool) -> None:
    """Replace this process by a new one with the same command, for which the lock is free.

    moved: Snakemake has changed its directory, so that paths in the command have lost their
    meaning. Then a MafnetError asks the user to type the command.
    """
    if moved:
        raise MafnetError(
            "the jobs of the earlier snakemake have ended; type the same command again"
        )
    for file in _locked:
        file.close()
    (Path(".snakemake") / HOLDER).unlink(missing_ok=True)
    os.execv(sys.executable, sys.orig_argv)


def put_python_on_path() -> None:
    """Put the Python that runs Snakemake first on the PATH of the jobs."""
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
