"""Any image network of timm: its last map, or its pooled vector if it has no places."""

import timm
import torch
from torch import nn

from mafnet.features.backbones.zoo.hub_network import HubNetwork


class LastMap(nn.Module):
    """Frames (M, 3, H, W) to maps (M, C, P, Q), or (M, C, 1, 1) if tokens have no grid."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        found = self.network.forward_features(frames)
        channels = self.network.num_features
        if found.ndim == 4:  # some transformers have the channels last
            last = found.shape[-1] == channels and found.shape[1] != channels
            return found.permute(0, 3, 1, 2) if last else found
        grid = getattr(getattr(self.network, "patch_embed", None), "grid_size", None)
        places = grid[0] * grid[1] if grid else 0
        prefix = getattr(self.network, "num_prefix_tokens", 0)
        if found.ndim == 3 and found.shape[1] == places + prefix and places:
            return found[:, prefix:].transpose(1, 2).unflatten(2, tuple(grid))
        return self.network.forward_head(found, pre_logits=True)[..., None, None]


class TimmNetwork(HubNetwork):
    """The network of the folder without its classifier."""

    def layers(self) -> nn.Module:
        return self._made(pretrained=False)

    def read(self) -> nn.Module:
        return self._made(pretrained=True)

    def _made(self, pretrained: bool) -> nn.Module:
        name = f"local-dir:{self.spec.folder}"
        return LastMap(timm.create_model(name, pretrained=pretrained, num_classes=0))
