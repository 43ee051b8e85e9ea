"""A job ends with the Snakemake that started it, also if that was killed.

Otherwise the job would go on to write while the next Snakemake starts the same job. The jobs are
grandchildren of Snakemake, so the system does not tell them.
"""

import os
import signal
import socket
import threading
import time
from contextlib import suppress

from mafnet.common.temporary import is_running

PARENT = "MAFNET_PARENT"
"""Environment variable of jobs: place and process id of the Snakemake that starts them."""

SECONDS_BETWEEN = 1.0


def name_parent() -> None:
    """Let jobs that this process starts end with it."""
    os.environ[PARENT] = f"{_place()} {os.getpid()}"


def end_with_parent() -> None:
    """End this process when the process that `name_parent` named ends, if it can be seen here."""
    place, _, pid = os.environ.get(PARENT, "").rpartition(" ")
    if place == _place():
        threading.Thread(target=_watch, args=(int(pid),), daemon=True).start()


def _place() -> str:
    """The machine and its process ids: a container may have ids of its own."""
    ids = ""
    with suppress(OSError):  # not Linux
        ids = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {ids}"


def _watch(pid: int) -> None:
    while is_running(pid):
        time.sleep(SECONDS_BETWEEN)
    os.kill(os.getpid(), signal.SIGTERM)  # its default action: unfinished files are not renamed
