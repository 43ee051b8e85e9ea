"""VGG-19 up to pool5: the visual features of DMRN's authors.

Simonyan and Zisserman 2015 (arXiv 1409.1556); the network is torchvision's, trained on ImageNet.
"""

from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from mafnet.features.backbones.network import he_initialised
from mafnet.features.backbones.zoo.torchvision_network import TorchvisionNetwork


class VGG19(TorchvisionNetwork):
    """Frames (M, 3, H, W) to maps (M, 512, H/32, W/32), after the last maximum pooling."""

    def layers(self) -> nn.Module:
        return he_initialised(make_layers(cfgs["E"]))
