"""A network of torchvision that calls its convolutions `features`."""

import torchvision
from torch import nn

from mafnet.features.backbones.network import FrozenNetwork


class TorchvisionNetwork(FrozenNetwork):
    """Frames (M, 3, H, W) to the maps that `features` returns.

    The backbone has the name of the function in torchvision.models.
    """

    def layers(self) -> nn.Module:
        return getattr(torchvision.models, self.spec.name)(weights=None).features

    def own_weights(self, state: dict) -> dict:
        """The keys of `features` alone."""
        if not any(key.startswith("features.") for key in state):
            return state
        own = {key: value for key, value in state.items() if key.startswith("features.")}
        return {key.removeprefix("features."): value for key, value in own.items()}
