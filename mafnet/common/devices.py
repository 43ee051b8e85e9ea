"""Choice of the device that a command computes on."""

from __future__ import annotations

import logging
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mafnet.common.errors import MafnetError
from mafnet.common.gpus import claim_card, lock_folder

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

GPU_FILES = ("nvidia[0-9]*", "dxg", "kfd")
"""At least one of these exists in /dev if torch can see a GPU (CUDA, WSL, ROCm)."""


def on_cpu(name: str) -> bool:
    """True if `choose_device` would return the CPU; imports torch only if necessary."""
    if name != "auto":
        return name == "cpu"
    if not any(any(Path("/dev").glob(pattern)) for pattern in GPU_FILES):
        return True
    import torch

    return not torch.cuda.is_available()


def described(device: torch.device) -> str:
    """A device with the name of its card, or of the processor: "cuda: NVIDIA A100"."""
    import torch

    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}: {processor()}"


def processor() -> str:
    """The name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8", errors="replace") if info.exists() else ""
    found = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def choose_device(name: str, threads: int, shared: bool = False) -> torch.device:
    """Choose a device; set torch's number of threads and current GPU.

    A command calls it once, because these settings hold for the whole process.

    name: "auto" waits for a GPU that no other job uses, or takes the CPU if there is no GPU. A GPU
        that is given by name is used without a lock.
    shared: True lets jobs with shared=True use the same GPU (mafnet.common.gpus).
    """
    import torch

    torch.set_num_threads(threads)
    device = _free_device(shared) if name == "auto" else _named(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # TF32 rounds float32 factors to 10 bits; torch uses it in convolutions by default.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    log.info("computing on %s with %d threads", device, threads)
    return device


def _free_device(shared: bool) -> torch.device:
    """A GPU that this process has locked, or the CPU."""
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    cards = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    return torch.device("cuda", claim_card(cards, lock_folder(), shared))


def _named(name: str) -> torch.device:
    """The device with this name; MafnetError if it does not exist."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MafnetError(f"--device {name}: is not a device; give cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise MafnetError(f"--device {name}: torch finds {count} GPUs; give another GPU or cpu")
    return device
