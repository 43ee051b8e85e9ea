"""DenseNet-201 up to its last ReLU, averaged over a clip's frames: the visual features of MAFnet.

N clips, F frames a clip, H x W pixels. Huang et al. 2017 (arXiv 1608.06993); the network is
torchvision's, which ends before the last ReLU that Keras' (and so the paper's) has.
"""

import re
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import densenet201

from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.densenet_layers import IMAGENET_DEVIATION, IMAGENET_MEAN
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

CALIBRATION_FRAMES = 96

GPU_BATCH = 32
"""Clips of a batch on a GPU: 512 frames, an estimated 5 GB at float32."""


class DenseNet201:
    """The registry's `densenet201`: uint8 RGB clips (N, F, 224, 224, 3) to (N, 7, 7, 1920)."""

    def __init__(self, weights: dict, device: str, precision: str) -> None:
        """Build from a state dict of `features` or of torchvision's whole network."""
        check_device(device, precision)
        settle(device)
        self.device, self.precision = device, precision
        self.batch = GPU_BATCH if on_gpu(device) else backbone_spec("densenet201").batch
        network = _fused(_network(weights))
        self.network = network.to(device, memory_format=torch.channels_last)
        self.max_workers = max_workers(device)

    def start_worker(self, threads: int) -> None:
        """Prepare a thread that is to call the network."""
        start_worker(self.device, threads)

    @staticmethod
    def random_weights(seed: int) -> dict:
        """torchvision's initialisation, drawn without touching the global generator."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return densenet201(weights=None).features.state_dict()

    @staticmethod
    def calibrate(weights: dict, batches: Iterable[np.ndarray]) -> dict:
        """New weights with the BN statistics of the given clips (N, F, H, W, 3), on the CPU.

        Without this a random network's features hardly depend on its input. All frames go through
        in one pass: a mean over passes fits none of them, as each layer then saw another scale
        than it will (features came out four times too large). Two frames of each clip suffice;
        of many clips CALIBRATION_FRAMES are taken evenly, which bounds the memory (about 2 GB).
        """
        frames = _calibration_frames(batches)
        network = _network(weights)
        _restart_statistics(network)
        with torch.no_grad():
            network(normalised(frames[None], "cpu"))
        return network.state_dict()

    @staticmethod
    def own_weights(state: dict) -> dict:
        """The keys of `features` alone; in torchvision's file `norm1` is written `norm.1`."""
        if not any(key.startswith("features.") for key in state):
            return state
        own = {key.removeprefix("features."): value for key, value in state.items()}
        return {
            re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", key): value
            for key, value in own.items()
            if not key.startswith("classifier.")
        }

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Maps (N, H/32, W/32, 1920) float16, post-ReLU, mean over the F frames."""
        if clips.ndim != 5 or clips.shape[-1] != 3 or clips.dtype != np.uint8:
            raise ValueError(f"frames are uint8 (N, F, H, W, 3), not {clips.dtype} {clips.shape}")
        if len(clips) == 0:
            return np.zeros((0, *backbone_spec("densenet201").feature_shape), np.float16)
        return in_full_batches(self._forward, clips, self.batch)

    def _forward(self, clips: np.ndarray) -> np.ndarray:
        with frozen(self.device, self.precision):
            frames = normalised(clips, self.device)  # (N * F, 3, H, W)
            maps = functional.relu(self.network(frames)).float()  # (N * F, 1920, h, w)
            maps = maps.unflatten(0, clips.shape[:2]).mean(dim=1)  # (N, 1920, h, w)
            return maps.permute(0, 2, 3, 1).half().cpu().numpy()


def _network(weights: dict) -> nn.Module:
    """torchvision's `features` with `weights`, float32, in evaluation mode."""
    with torch.device("meta"):  # neither time nor random numbers for weights that are replaced
        network = densenet201(weights=None).features
    load_weights(network, DenseNet201.own_weights(weights), "densenet201")
    return network.float().eval()


def _fused(network: nn.Module) -> nn.Module:
    """Fold each BN that directly follows a convolution into it: one pass over memory less.

    Relative error 8e-7, 5 % faster (measured). The BNs before a ReLU and convolution stay.
    """
    network.conv0 = fuse_conv_bn_eval(network.conv0, network.norm0)
    network.norm0 = nn.Identity()
    for layer in network.modules():
        if hasattr(layer, "norm2"):  # a dense layer: norm1, conv1, norm2, conv2
            layer.conv1 = fuse_conv_bn_eval(layer.conv1, layer.norm2)
            layer.norm2 = nn.Identity()
    return network


def _calibration_frames(batches: Iterable[np.ndarray]) -> np.ndarray:
    """The first and the middle frame of every clip, (M, H, W, 3), at most CALIBRATION_FRAMES."""
    pairs = [clips[:, :: max(1, (clips.shape[1] + 1) // 2)] for clips in batches]
    if not sum(map(len, pairs)):
        raise MafnetError("calibration needs at least one clip; check the training videos")
    frames = np.concatenate([pair.reshape(-1, *pair.shape[2:]) for pair in pairs])
    count = min(len(frames), CALIBRATION_FRAMES)
    return frames[np.arange(count) * len(frames) // count]


def _restart_statistics(network: nn.Module) -> None:
    """Forget the running statistics; those of the next pass take their place."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            # Buffers of their own: those of `weights` belong to the caller.
            layer.running_mean = torch.zeros_like(layer.running_mean)
            layer.running_var = torch.ones_like(layer.running_var)
            layer.num_batches_tracked = torch.zeros((), dtype=torch.long)
            layer.momentum = 1.0
    network.train()


def normalised(clips: np.ndarray, device: str) -> torch.Tensor:
    """Frames (N * F, 3, H, W) float32, channels last in memory; bytes are what is uploaded."""
    frames = as_tensor(clips, device).flatten(0, 1).permute(0, 3, 1, 2)
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(3, 1, 1)
    deviation = torch.tensor(IMAGENET_DEVIATION, device=device).view(3, 1, 1)
    return (frames.float() / 255.0 - mean) / deviation
