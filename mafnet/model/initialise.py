"""First weights of a network: Glorot uniform, zero biases; batch normalisation 1 and 0."""

from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def initialise(network: Module) -> Module:
    """The same network, its dense and convolution layers drawn from torch's global generator.

    Batch normalisation starts at scale 1, shift 0 as built; other layers keep their own start.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
