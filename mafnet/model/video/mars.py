"""MARS: the 3D ResNeXt-101 that its authors trained to imitate an optical-flow stream.

Crasto et al., CVPR 2019. At test it is a plain network on frames. The names and shapes of the
parameters are those of the published checkpoints.
"""

from torch import Tensor, nn

CARDINALITY = 32
"""Groups of the 3x3x3 convolutions."""

STAGES = ((128, 3), (256, 4), (512, 23), (1024, 3))
"""Channels of the grouped convolution and number of blocks of each stage of ResNeXt-101."""

EXPANSION = 2
"""Channels after a block, relative to those of its grouped convolution."""


class MARS(nn.Module):
    """Logits (B, C) of clips (B, 3, T, H, W); the authors have T = 16 and H = W = 112.

    `stages` are the parts that fine-tuning may freeze, in the order of the data.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        channels = 64
        for number, (width, blocks) in enumerate(STAGES, start=1):
            stage = _stage(channels, width, blocks, stride=1 if number == 1 else 2)
            self.add_module(f"layer{number}", stage)
            channels = width * EXPANSION
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    @property
    def stages(self) -> list[list[nn.Module]]:
        """The stem and the four stages of blocks."""
        return [[self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]

    def forward(self, clips: Tensor) -> Tensor:
        """Logits of the clips."""
        maps = nn.functional.relu(self.bn1(self.conv1(clips)), inplace=True)
        maps = nn.functional.max_pool3d(maps, 3, stride=2, padding=1)
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return self.fc(maps.mean(dim=(2, 3, 4)))


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = _Block(channels, width, stride)
    return nn.Sequential(first, *(_Block(width * EXPANSION, width) for _ in range(blocks - 1)))


class _Block(nn.Module):
    """A bottleneck with a grouped convolution; the first of a stage projects its shortcut."""

    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv3d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride, 1, groups=CARDINALITY, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != outputs:
            projection = nn.Conv3d(channels, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = self.downsample(maps) if self.downsample else maps
        inner = self.relu(self.bn1(self.conv1(maps)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        return self.relu(self.bn3(self.conv3(inner)) + shortcut)
