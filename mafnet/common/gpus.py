"""Choice of a GPU for each of several parallel jobs on one machine.

Snakemake counts GPUs but does not number them. So each job claims a card by file locks, one file
per card. The kernel releases a lock when its process ends, even if it is killed.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TextIO

from mafnet.common.errors import MafnetError

log = logging.getLogger(__name__)

MOST_SHARERS = 64
"""Upper limit of the runs on one card; model.runs_per_gpu is usually far smaller."""
POLL_SECONDS = 0.5

_held: list[TextIO] = []


def count_cards(environment: Mapping[str, str], devices: Path = Path("/dev")) -> int:
    """The number of GPUs that a process may use on this machine, found without torch.

    environment: CUDA_VISIBLE_DEVICES, set by a user or a scheduler, decides. Without it, the
        device files are counted. An invalid entry hides all entries after it, as in CUDA.
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
    """The folder of the locks of all users; it is on the local machine, like the cards."""
    return Path(tempfile.gettempdir()) / "mafnet-gpus"


def claim_card(cards: Sequence[str], folder: Path, shared: bool) -> int:
    """Claim a card until this process ends, and return its index; waits while none is free.

    cards: a unique name of each card of this machine, e.g. its UUID.
    shared: True shares the card with other processes that also pass True; the card with the
        fewest processes is chosen. False claims the card exclusively.
    """
    claim = _claim_slot if shared else _claim_whole
    announced = False
    while True:
        try:
            _share(folder)
            index = claim(cards, folder)
        except OSError as error:
            raise MafnetError(
                f"{folder}: cannot lock a GPU there ({error}); set TMPDIR to a folder on this "
                "machine, or choose the GPU by --device cuda:N"
            ) from error
        if index is not None:
            return index
        if not announced:
            log.info("other jobs use all %d GPUs; waiting for a free one", len(cards))
            announced = True
        time.sleep(POLL_SECONDS)


def _claim_whole(cards: Sequence[str], folder: Path) -> int | None:
    """A card without any lock."""
    for index, card in enumerate(cards):
        if file := _lock(folder / f"{card}.lock", fcntl.LOCK_EX):
            _held.append(file)
            return index
    return None


def _claim_slot(cards: Sequence[str], folder: Path) -> int | None:
    """A slot of a card without exclusive lock; fills the first slots of all cards first."""
    for slot, (index, card) in product(range(MOST_SHARERS), enumerate(cards)):
        file = _lock(folder / f"{card}.lock", fcntl.LOCK_SH)
        own = file and _lock(folder / f"{card}.{slot}.lock", fcntl.LOCK_EX)
        if own:
            _held.extend((file, own))
            return index
        if file:
            file.close()
    return None


def _share(folder: Path) -> None:
    """Create the folder for all users; as in /tmp, only the owner of a file can remove it."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o1777)


def _lock(path: Path, kind: int) -> TextIO | None:
    """The file, locked until it is closed; None if another process holds it."""
    file = os.fdopen(_opened(path))
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        file.close()
        raise
    return file


def _opened(path: Path) -> int:
    """A lock file, opened for reading; created for all users if it does not exist.

    It may belong to another user. Linux forbids O_CREAT for such a file in a folder like /tmp. A
    symbolic link is not followed, because it may be a trap.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        with suppress(FileExistsError):
            created = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.fchmod(created, 0o644)
            return created
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
