"""The device a command computes on."""

import logging

import torch

from mafnet.errors import MafnetError

log = logging.getLogger(__name__)


def choose_device(name: str, threads: int) -> torch.device:
    """A device by name ("auto" takes a GPU where there is one), and torch's number of threads.

    To be called once by a command: both settings are the process's.
    """
    torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MafnetError(f"--device {name}: is not a device; give cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise MafnetError(f"--device {name}: torch sees {count} GPUs; give another or cpu")
    log.info("computing on %s with %d threads", device, threads)
    return device
