"""The device a command computes on."""

import logging

import torch

from mafnet.cards import claim_card, lock_folder
from mafnet.errors import MafnetError

log = logging.getLogger(__name__)


def choose_device(name: str, threads: int, shared: bool = False) -> torch.device:
    """A device by name, and torch's number of threads and current GPU.

    To be called once by a command: the settings are the process's.

    name: "auto" takes a GPU that no other job has, and waits for one, or the CPU where there is no
        GPU. A GPU by its name is taken without asking.
    shared: jobs that say so may share a GPU (mafnet.cards).
    """
    torch.set_num_threads(threads)
    device = _free_device(shared) if name == "auto" else _named(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    log.info("computing on %s with %d threads", device, threads)
    return device


def _free_device(shared: bool) -> torch.device:
    """A GPU of this process's own, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    cards = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    return torch.device("cuda", claim_card(cards, lock_folder(), shared))


def _named(name: str) -> torch.device:
    """A device by name; MafnetError if there is none of that name."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MafnetError(f"--device {name}: is not a device; give cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise MafnetError(f"--device {name}: torch sees {count} GPUs; give another or cpu")
    return device
