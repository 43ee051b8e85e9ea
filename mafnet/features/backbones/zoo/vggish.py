"""VGGish up to its last convolution before pool4: the audio features of MAFnet.

Hershey et al. 2017 (arXiv 1609.09430), trained on AudioSet; the paper of MAFnet takes the maps of
conv4_2 after their ReLU (section 3.1).
"""

import torch
from torch import nn
from torch.nn import functional

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.network import FrozenNetwork
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


class VGGishNetwork(nn.Module):
    """Log-mel patches (N, 1, 96, 64) to maps (N, 512, 12, 8), post-ReLU."""

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


class VGGish(FrozenNetwork):
    """The convolutions of VGGish, which has no normalisation to calibrate."""

    def layers(self) -> nn.Module:
        return VGGishNetwork()

    def random_weights(self, seed: int) -> dict:
        """He's initialisation (normal, fan in; zero biases) from a generator of its own."""
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name, (inputs, outputs) in CHANNELS.items():
            deviation = (2.0 / (9 * inputs)) ** 0.5
            kernel = torch.randn(outputs, inputs, 3, 3, generator=generator)
            weights[f"{name}.weight"] = kernel * deviation
            weights[f"{name}.bias"] = torch.zeros(outputs)
        return weights

    def own_weights(self, state: dict) -> dict:
        """The state dict under our names; `state` may be the PyTorch port's."""
        port = any(key.startswith("features.") for key in state)
        return port_weights(state) if port else state


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
