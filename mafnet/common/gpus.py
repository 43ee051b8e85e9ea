"""Which GPU a job takes where several run side by side on one machine.

Snakemake counts GPUs but does not number them. So each job claims a card by locks of the kernel's,
files named after the cards, which are free again as soon as the process ends, however it ends.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TextIO

from mafnet.common.errors import MafnetError

log = logging.getLogger(__name__)

MOST_SHARERS = 64
"""Runs that one card can be shared by; far fewer fit, model.runs_per_gpu says how many."""
POLL_SECONDS = 0.5

_held: list[TextIO] = []


def count_cards(environment: Mapping[str, str], devices: Path = Path("/dev")) -> int:
    """How many GPUs this machine lets a process use, found without torch.

    environment: its CUDA_VISIBLE_DEVICES, a user's or a scheduler's choice, has the word; else
    there are as many as device files. An entry that is no card hides those behind it, as in CUDA.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return sum(path.name[6:].isdecimal() for path in devices.glob("nvidia*"))
    count = 0
    for name in visible.split(","):
        if not name.strip().isdecimal() and not name.strip().startswith(("GPU-", "MIG-")):
            break
        count += 1
    return count


def lock_folder() -> Path:
    """The folder of this user's locks; on the machine itself, as cards are."""
    return Path(tempfile.gettempdir()) / f"mafnet-gpus-{os.getuid()}"


def claim_card(cards: Sequence[str], folder: Path, shared: bool) -> int:
    """The index of a card that is this process's until it ends; waits while none is free.

    cards: what tells each card from all others of the machine, e.g. its UUID.
    shared: another process may share the card if it says so as well; the card with the fewest
        sharers is taken. Otherwise the card is this process's alone.
    """
    claim = _claim_place if shared else _claim_whole
    said = False
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            index = claim(cards, folder)
        except OSError as error:
            raise MafnetError(
                f"{folder}: cannot lock a GPU there ({error}); let TMPDIR name a folder on this "
                "machine, or choose the GPU by --device cuda:N"
            ) from error
        if index is not None:
            return index
        if not said:
            log.info("all %d GPUs are taken by other jobs; waiting for one", len(cards))
            said = True
        time.sleep(POLL_SECONDS)


def _claim_whole(cards: Sequence[str], folder: Path) -> int | None:
    """A card that nobody holds."""
    for index, card in enumerate(cards):
        if file := _lock(folder / f"{card}.lock", fcntl.LOCK_EX):
            _held.append(file)
            return index
    return None


def _claim_place(cards: Sequence[str], folder: Path) -> int | None:
    """A place on a card that nobody holds as a whole: all first places before a second one."""
    for place, (index, card) in product(range(MOST_SHARERS), enumerate(cards)):
        file = _lock(folder / f"{card}.lock", fcntl.LOCK_SH)
        own = file and _lock(folder / f"{card}.{place}.lock", fcntl.LOCK_EX)
        if own:
            _held.extend((file, own))
            return index
        if file:
            file.close()
    return None


def _lock(path: Path, kind: int) -> TextIO | None:
    """The file, locked until it is closed; None if another process holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        file.close()
        raise
    return file
