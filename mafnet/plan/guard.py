"""The process that runs the workflow: its python, and its claim on the directory."""

import fcntl
import os
import sys
from pathlib import Path

from mafnet.common.errors import MafnetError

_held = []


def claim_directory(folder: Path) -> None:
    """Hold the directory until this process ends, however it ends; MafnetError if another does.

    The kernel frees the lock with its holder, so a kill leaves nothing to be unlocked by hand,
    unlike Snakemake's own lock files, which the default profile switches off.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "mafnet.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MafnetError(
            f"another snakemake is at work in {folder.resolve().parent}; wait for it or stop it"
        ) from error
    except OSError:  # a file system without locks: nothing can be promised
        return
    _held.append(file)


def put_python_on_path() -> None:
    """Make the python that runs Snakemake the first on the PATH of the jobs."""
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
