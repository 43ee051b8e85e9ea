"""How torch computes every frozen network: precisions, full batches, tensors of media arrays.

N clips of I items each, such as frames; C channels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.backbones.precision import check_precision

CPU_WORKERS = 4
"""On a CPU, four threads with DenseNet-201 take 0.4 GB each; more cores make them faster."""

GPU_WORKERS = 2
"""One uploads and downloads while the other computes."""


class TorchBackbone:
    """A backbone of the registry by torch (`Backbone`)."""

    def __init__(self, name: str, weights: dict, device: str, precision: str) -> None:
        """Build from a state dict in any form that the network's `own_weights` takes."""
        check_device(device, precision)
        settle(device)
        self._spec = backbone_spec(name)
        self.device, self.precision = device, precision
        self.batch = self._spec.gpu_batch if on_gpu(device) else self._spec.batch
        self.network = frozen_network(name).build(weights).to(device)
        self.max_workers = max_workers(device)

    def start_worker(self, threads: int) -> None:
        """Prepare a thread that is to call the network."""
        start_worker(self.device, threads)

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Features (N, *feature_shape) float16: the mean over a clip's items, channels last."""
        items = self._spec.inputs(clips)  # (N, I, ...)
        if len(items) == 0:
            return np.zeros((0, *self._spec.feature_shape), np.float16)
        return in_full_batches(self._forward, items, self.batch)

    def _forward(self, items: np.ndarray) -> np.ndarray:
        with frozen(self.device, self.precision):
            maps = self.network(as_tensor(items, self.device).flatten(0, 1)).float()
            maps = maps.unflatten(0, items.shape[:2]).mean(dim=1)  # (N, C, ...)
            return maps.movedim(1, -1).half().cpu().numpy()


class MeanOfItems(torch.nn.Module):
    """Items (I, ...) to the mean of their maps, channels last: what OpenVINO computes at a time.

    2 % faster than to average outside of the model (measured).
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        return self.network(items).mean(dim=0).movedim(0, -1)


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

    Torch chooses kernels by shape, and each kernel rounds differently. With one shape for all, a
    clip's features do not depend on the number of clips.
    """
    parts = [clips[start : start + batch] for start in range(0, len(clips), batch)]
    return np.concatenate([forward(_filled(part, batch))[: len(part)] for part in parts])


def _filled(clips: np.ndarray, batch: int) -> np.ndarray:
    if len(clips) == batch:
        return clips
    filler = np.zeros((batch - len(clips), *clips.shape[1:]), clips.dtype)
    return np.concatenate([clips, filler])
