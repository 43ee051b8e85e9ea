"""YAMNet up to its last ReLU, before its mean over places: cheap audio features.

MobileNet-v1 (Howard et al. 2017, arXiv 1704.04861) on one log-mel patch, trained on AudioSet; its
authors' code is in github.com/tensorflow/models, research/audioset/yamnet.
"""

import torch
from torch import nn
from torch.nn import functional

from mafnet.features.backbones.network import FrozenNetwork
from mafnet.features.backbones.same_conv import SameConv
from mafnet.features.backbones.tensorflow_names import renamed

PAIRS = (
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
)  # fmt: skip
"""After the first convolution: stride of a depthwise, and channels out of the pointwise that
follows."""

CLASSES = 521


class Layers(nn.Module):
    """Log-mel patches (N, 1, 96, 64) to maps (N, 1024, 3, 2), post-ReLU."""

    def __init__(self) -> None:
        super().__init__()
        convolutions, channels = [SameConv(1, 32, 3, 2)], 32
        for stride, outputs in PAIRS:
            convolutions.append(SameConv(channels, channels, 3, stride, groups=channels))
            convolutions.append(SameConv(channels, outputs, 1))
            channels = outputs
        self.convolutions = nn.ModuleList(convolutions)
        norms = [nn.BatchNorm2d(layer.out_channels, eps=1e-4) for layer in convolutions]
        self.norms = nn.ModuleList(norms)
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        maps = patches
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            maps = functional.relu(norm(convolution(maps)))
        return maps

    def scores(self, maps: torch.Tensor) -> torch.Tensor:
        """The score (N, 521) of each class of AudioSet, 0 to 1, of maps."""
        return self.classifier(maps.mean(dim=(2, 3))).sigmoid()


class YAMNet(FrozenNetwork):
    """The network with its classifier, which the features do not need."""

    def layers(self) -> nn.Module:
        return Layers()

    def own_weights(self, state: dict) -> dict:
        """Our state dict; `state` may be the variables of the SavedModel or of `yamnet.h5`.

        TensorFlow's BN has no scale here: it is 1.
        """
        tables = [saved_model_names(), keras_names("logits"), keras_names("dense")]
        own = renamed(state, tables, self.spec.name)
        scales = {
            key.replace("bias", "weight"): torch.ones_like(value)
            for key, value in own.items()
            if key.startswith("norms.") and key.endswith("bias")
        }
        return scales | own  # ours has scales already


def saved_model_names() -> dict[str, str]:
    """The variable of the SavedModel on TensorFlow Hub for each of our tensors."""
    names = {}
    for index in range(1 + 2 * len(PAIRS)):
        kind = "depthwise_kernel" if index % 2 else "kernel"
        names |= _names_of(index, f"{2 * index}/{kind}", f"{2 * index + 1}")
    last = 2 + 4 * len(PAIRS)
    names |= {"classifier.weight": f"{last}/kernel", "classifier.bias": f"{last}/bias"}
    return {own: f"layer_with_weights-{name}" for own, name in names.items()}


def keras_names(last: str) -> dict[str, str]:
    """The dataset of `yamnet.h5` for each of our tensors; `last` is its classifier's name."""
    names = _names_of(0, "layer1/conv/kernel", "layer1/conv/bn")
    for number in range(len(PAIRS)):
        layer = f"layer{number + 2}"
        for part, kernel in (("depthwise_conv", "depthwise_kernel"), ("pointwise_conv", "kernel")):
            index = 1 + 2 * number + (part == "pointwise_conv")
            names |= _names_of(index, f"{layer}/{part}/{kernel}", f"{layer}/{part}/bn")
    return names | {"classifier.weight": f"{last}/kernel", "classifier.bias": f"{last}/bias"}


def _names_of(index: int, kernel: str, norm: str) -> dict[str, str]:
    """The names of one convolution and of its BN."""
    statistics = {"bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    names = {f"norms.{index}.{own}": f"{norm}/{name}" for own, name in statistics.items()}
    return {f"convolutions.{index}.weight": kernel} | names
