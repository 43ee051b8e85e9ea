"""VGGish up to its last convolution before pool4: the audio features of MAFnet.

N clips, S samples a clip. Hershey et al. 2017 (arXiv 1609.09430), trained on AudioSet; the paper
of MAFnet takes the maps of conv4_2 after their ReLU (section 3.1).
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.inference import (
    as_tensor,
    check_device,
    frozen,
    in_full_batches,
    load_weights,
    max_workers,
    on_gpu,
    settle,
    start_worker,
)
from mafnet.features.backbones.logmel import log_mel
from mafnet.features.backbones.vggish_layers import CHANNELS, POOLED

PORT_LAYERS = {
    "conv1": 0,
    "conv2": 3,
    "conv3_1": 6,
    "conv3_2": 8,
    "conv4_1": 11,
    "conv4_2": 13,
}
"""Index of each convolution in `features` of github.com/harritaylor/torchvggish."""

GPU_BATCH = 128


class VGGishNetwork(nn.Module):
    """Log-mel patches (N, 1, 96, 64) to maps (N, 512, 12, 8)."""

    def __init__(self) -> None:
        super().__init__()
        for name, (inputs, outputs) in CHANNELS.items():
            self.add_module(name, nn.Conv2d(inputs, outputs, kernel_size=3, padding=1))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        maps = patches
        for name, convolution in self.named_children():
            maps = functional.relu(convolution(maps))
            if name in POOLED:
                maps = functional.max_pool2d(maps, 2)
        return maps


class VGGish:
    """The registry's `vggish`: int16 clips (N, 16000) at 16 kHz to float16 maps (N, 12, 8, 512)."""

    def __init__(self, weights: dict, device: str, precision: str) -> None:
        """Build from a state dict; `weights` may also be the PyTorch port's."""
        check_device(device, precision)
        settle(device)
        self.device, self.precision = device, precision
        self.batch = GPU_BATCH if on_gpu(device) else backbone_spec("vggish").batch
        with torch.device("meta"):
            network = VGGishNetwork()
        load_weights(network, self.own_weights(weights), "vggish")
        self.network = network.eval().to(device, torch.float32, memory_format=torch.channels_last)
        self.max_workers = max_workers(device)

    def start_worker(self, threads: int) -> None:
        """Prepare a thread that is to call the network."""
        start_worker(self.device, threads)

    @staticmethod
    def random_weights(seed: int) -> dict:
        """He's initialisation (normal, fan in; zero biases) from a generator of its own."""
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name, (inputs, outputs) in CHANNELS.items():
            deviation = (2.0 / (9 * inputs)) ** 0.5
            kernel = torch.randn(outputs, inputs, 3, 3, generator=generator)
            weights[f"{name}.weight"] = kernel * deviation
            weights[f"{name}.bias"] = torch.zeros(outputs)
        return weights

    @staticmethod
    def calibrate(weights: dict, batches: Iterable[np.ndarray]) -> dict:
        """The weights as they are: VGGish has no normalisation statistics."""
        return weights

    @staticmethod
    def own_weights(state: dict) -> dict:
        """The state dict under our names; `state` may be the PyTorch port's."""
        port = any(key.startswith("features.") for key in state)
        return port_weights(state) if port else state

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Maps (N, 12, 8, 512) float16, post-ReLU, of clips (N, S) int16."""
        if clips.ndim != 2 or clips.dtype != np.int16:
            raise ValueError(f"sound is int16 (N, S), not {clips.dtype} {clips.shape}")
        if len(clips) == 0:
            return np.zeros((0, *backbone_spec("vggish").feature_shape), np.float16)
        return in_full_batches(self._forward, clips, self.batch)

    def _forward(self, clips: np.ndarray) -> np.ndarray:
        # float32 also at lower precisions, as the logarithm is steep.
        patches = log_mel(clips.astype(np.float32) / 32768.0)[:, None]  # (N, 1, 96, 64)
        with frozen(self.device, self.precision):
            own = as_tensor(patches, self.device).contiguous(memory_format=torch.channels_last)
            maps = self.network(own)
        return maps.permute(0, 2, 3, 1).half().cpu().numpy()


def port_weights(state: dict) -> dict:
    """Our state dict from the PyTorch port's; its layers past conv4_2 are left out.

    Raises MafnetError with the keys that are missing.
    """
    names = {
        f"features.{index}.{part}": f"{name}.{part}"
        for name, index in PORT_LAYERS.items()
        for part in ("weight", "bias")
    }
    missing = [key for key in names if key not in state]
    if missing:
        raise MafnetError(
            f"the VGGish weights lack {', '.join(missing)}; use the PyTorch port's state dict"
        )
    return {own: state[key] for key, own in names.items()}
