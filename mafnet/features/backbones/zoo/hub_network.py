"""What the networks of both hubs have in common."""

import torch
from safetensors import SafetensorError
from torch import nn

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.network import FrozenNetwork, load_weights


class HubNetwork(FrozenNetwork):
    """A network that a package builds from a folder; a subclass has `layers` and `read`."""

    def loaded(self, weights: dict) -> nn.Module:
        """As for other networks, but built with values: tables that no file has are among them."""
        with torch.random.fork_rng(devices=[]):
            network = self.layers()
        load_weights(network, self.own_weights(weights), self.spec.name)
        return network.float().eval()

    def published(self) -> dict:
        """The state dict of the model's own weights; MafnetError if they cannot be read."""
        try:
            state = self.read().state_dict()
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise MafnetError(
                f"{self.spec.folder}: {self.spec.package} cannot read the weights ({reason}); put "
                "the published files there"
            ) from error
        return {key: value.clone() for key, value in state.items()}

    def read(self) -> nn.Module:
        """`layers` with the weights of the folder."""
        raise NotImplementedError
