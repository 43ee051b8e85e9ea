"""Initial weights of a network: Glorot uniform, zero biases; batch normalisation 1 and 0."""

from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def initialise(network: Module) -> Module:
    """Draw the dense and convolution weights from torch's global generator; return the network.

    Batch normalisation keeps scale 1 and shift 0. Other layers keep their own initial weights.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
