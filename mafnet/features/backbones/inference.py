"""What every frozen network shares: precisions, full batches, and tensors of media arrays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.precision import check_precision

CPU_WORKERS = 4
"""On a CPU, four threads with DenseNet-201 take 0.4 GB each; more cores make them faster."""

GPU_WORKERS = 2
"""One uploads and downloads while the other computes."""


def check_device(device: str, precision: str) -> None:
    """Raise MafnetError where this machine cannot run `precision` on `device`."""
    check_precision(precision, on_gpu(device))
    if on_gpu(device) and not torch.cuda.is_available():
        raise MafnetError(f"device {device} was asked for, but torch finds no GPU; choose cpu")


def on_gpu(device: str) -> bool:
    """True if `device` names a CUDA device."""
    return torch.device(device).type == "cuda"


def max_workers(device: str) -> int:
    """How many threads may usefully call a network on `device` at once."""
    return GPU_WORKERS if on_gpu(device) else CPU_WORKERS


def start_worker(device: str, threads: int) -> None:
    """Give the calling thread its share: `threads` cores, or a stream of its own on a GPU."""
    if on_gpu(device):
        torch.cuda.synchronize(device)  # the weights came by another stream
        torch.cuda.set_stream(torch.cuda.Stream(device))
    else:
        torch.set_num_threads(threads)


def settle(device: str) -> None:
    """On a GPU: the same clip has the same features from run to run, and float32 is not TF32.

    It is set for the whole process: threads that each restored it would disturb one another.
    cuDNN's search for algorithms stays off: it may choose differently from run to run.
    """
    if on_gpu(device):
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False


@contextmanager
def frozen(device: str, precision: str) -> Iterator[None]:
    """Inference under autocast to `precision`."""
    dtype = getattr(torch, precision)
    autocast = torch.autocast(
        torch.device(device).type, dtype=dtype, enabled=dtype is not torch.float32
    )
    with torch.inference_mode(), autocast:
        yield


def as_tensor(clips: np.ndarray, device: str) -> torch.Tensor:
    """The array on `device`, copied only where it is read-only or the device is another.

    To a GPU it goes by way of pinned memory (which torch keeps for the next batch), so that this
    thread's upload runs while another thread computes.
    """
    tensor = torch.from_numpy(np.require(clips, requirements=["C", "W"]))
    return tensor.pin_memory().to(device, non_blocking=True) if on_gpu(device) else tensor


def in_full_batches(
    forward: Callable[[np.ndarray], np.ndarray], clips: np.ndarray, batch: int
) -> np.ndarray:
    """`forward` over batches of exactly `batch` clips, the last one filled up with zeros.

    Kernels are chosen by shape, and another kernel rounds otherwise: with one shape for all, a
    clip's features do not depend on how many clips were at hand.
    """
    parts = [clips[start : start + batch] for start in range(0, len(clips), batch)]
    return np.concatenate([forward(_filled(part, batch))[: len(part)] for part in parts])


def _filled(clips: np.ndarray, batch: int) -> np.ndarray:
    if len(clips) == batch:
        return clips
    filler = np.zeros((batch - len(clips), *clips.shape[1:]), clips.dtype)
    return np.concatenate([clips, filler])


def load_weights(network: torch.nn.Module, weights: dict, name: str) -> None:
    """Put `weights` into a network on the meta device; MafnetError names what does not fit."""
    expected = network.state_dict()
    missing = [key for key in expected if key not in weights and "num_batches" not in key]
    unknown = [key for key in weights if key not in expected]
    wrong = [
        f"{key} {tuple(weights[key].shape)}"
        for key in weights
        if key in expected and weights[key].shape != expected[key].shape
    ]
    if missing or unknown or wrong:
        raise MafnetError(
            f"these are no weights of {name}: missing {_some(missing)}, unknown {_some(unknown)}, "
            f"wrong shape {_some(wrong)}; check the weights file"
        )
    network.load_state_dict(weights, assign=True)


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:3]) or "none"
    return f"{shown} and {len(keys) - 3} more" if len(keys) > 3 else shown
