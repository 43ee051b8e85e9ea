"""R(2+1)D-18: torchvision's network, with the interface of the other video networks."""

from torch import nn
from torchvision.models.video import VideoResNet
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem


class R2Plus1D(VideoResNet):
    """Logits (B, C) of clips (B, 3, T, H, W); the published weights have T = 16, H = W = 112.

    `stages` are the parts that fine-tuning may freeze, in the order of the data.
    """

    def __init__(self, classes: int) -> None:
        blocks = [Conv2Plus1D] * 4
        super().__init__(BasicBlock, blocks, [2, 2, 2, 2], R2Plus1dStem, num_classes=classes)

    @property
    def stages(self) -> list[list[nn.Module]]:
        """The stem and the four stages of blocks."""
        return [[self.stem], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]
