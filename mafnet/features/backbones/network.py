"""What every frozen network has besides its layers: weights, random weights, calibration.

N clips of I items each, such as frames; C channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.spec import BackboneSpec, Normalisation, VisualBackbone

CALIBRATION_ITEMS = 96

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class FrozenNetwork(ABC):
    """One network of the zoo; a subclass has `layers`, and what is peculiar in its weights.

    spec: its entry in the registry.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec

    @abstractmethod
    def layers(self) -> nn.Module:
        """The network as its authors initialise it: normalised items (M, ...) to maps
        (M, C, P, Q)."""

    def own_weights(self, state: dict) -> dict:
        """The part of a published state dict that the network needs, under its own names."""
        return state

    def optimised(self, network: nn.Module) -> nn.Module:
        """The same function of the loaded network, quicker."""
        return network

    def random_weights(self, seed: int) -> dict:
        """A state dict drawn from `seed`, without touching the global generator."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.layers().state_dict()

    def loaded(self, weights: dict) -> nn.Module:
        """The layers with weights in any form that `own_weights` takes, float32, on the CPU.

        MafnetError if the weights do not fit.
        """
        with torch.device("meta"):  # neither time nor random numbers for weights that are replaced
            network = self.layers()
        load_weights(network, self.own_weights(weights), self.spec.name)
        return network.float().eval()

    def build(self, weights: dict) -> nn.Module:
        """The network on the CPU: items (N * I, ...) to maps (N * I, C, P, Q).

        A GPU is sent, and OpenVINO's model takes, bytes: normalisation is part of the network.
        """
        network = self.optimised(self.loaded(weights)).to(memory_format=torch.channels_last)
        return self._with_normalisation(network).eval()

    def calibrate(self, weights: dict, batches: Iterable[np.ndarray]) -> dict:
        """New weights with the BN statistics of the given clips; the same if there is no BN.

        Without this a random network's features hardly depend on its input. All items go through
        in one pass: a mean over passes fits none of them, as each layer then saw another scale
        than it will (features came out four times too large). Two items of each clip suffice; of
        many clips CALIBRATION_ITEMS are taken evenly, which bounds the memory (about 2 GB).
        """
        network = self.loaded(weights)
        if not restart_statistics(network):
            return weights
        items = calibration_items(map(self.spec.inputs, batches))
        with torch.no_grad():
            self._with_normalisation(network)(torch.from_numpy(items))
        return network.state_dict()

    def _with_normalisation(self, network: nn.Module) -> nn.Module:
        if not isinstance(self.spec, VisualBackbone):
            return network
        return OfFrames(network, self.spec.normalisation)


class OfFrames(nn.Module):
    """A network behind the normalisation of frames (M, H, W, 3) uint8 RGB."""

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.network = network
        self.normalisation = normalisation

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network(normalised(frames, self.normalisation))


def normalised(frames: torch.Tensor, by: Normalisation) -> torch.Tensor:
    """Frames (M, H, W, 3) uint8 as (M, 3, H, W) float32, channels last in memory."""
    mean = torch.tensor(by.mean, device=frames.device).view(3, 1, 1)
    deviation = torch.tensor(by.deviation, device=frames.device).view(3, 1, 1)
    return (frames.permute(0, 3, 1, 2).float() / by.scale - mean) / deviation


def he_initialised(network: nn.Module) -> nn.Module:
    """A network without normalisation, with He's initialisation (normal, fan in; zero biases).

    torch's own lets the features of a deep one vanish.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network


def calibration_items(batches: Iterable[np.ndarray]) -> np.ndarray:
    """The first and the middle item of clips (N, I, ...), at most CALIBRATION_ITEMS, (M, ...)."""
    pairs = [items[:, :: max(1, (items.shape[1] + 1) // 2)] for items in batches]
    if not sum(map(len, pairs)):
        raise MafnetError("calibration needs at least one clip; check the training videos")
    items = np.concatenate([pair.reshape(-1, *pair.shape[2:]) for pair in pairs])
    count = min(len(items), CALIBRATION_ITEMS)
    return items[np.arange(count) * len(items) // count]


def restart_statistics(network: nn.Module) -> bool:
    """Forget the running statistics, so that those of the next pass take their place.

    False if the network has none.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, BATCH_NORMS)]
    for layer in layers:
        # Buffers of their own: those of the weights belong to the caller.
        layer.running_mean = torch.zeros_like(layer.running_mean)
        layer.running_var = torch.ones_like(layer.running_var)
        layer.num_batches_tracked = torch.zeros((), dtype=torch.long)
        layer.momentum = 1.0
        layer.train()  # this layer only: dropout elsewhere stays off
    return bool(layers)


def load_weights(network: nn.Module, weights: dict, name: str) -> None:
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
            f"these are no weights of {name}: missing {some(missing)}, unknown {some(unknown)}, "
            f"wrong shape {some(wrong)}; check the weights file"
        )
    network.load_state_dict(weights, assign=True)


def some(keys: list[str]) -> str:
    """Three of some names, and how many more there are."""
    shown = ", ".join(keys[:3]) or "none"
    return f"{shown} and {len(keys) - 3} more" if len(keys) > 3 else shown
