"""The parts of the networks: the boxes of the paper's figures.

    B  batch, videos           D   channels of a feature: Dv visual, Da audio
    T  clips of a video        H   hidden size
    K  modalities              C   classes
    P x Q  positions of a map  N   B * T clips

The modality axis holds visual before audio. Features come channels last.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.networks.options import NormOptions

Norm = Callable[[int], nn.Module]
"""Makes the normalisation of a number of channels."""


class Features(NamedTuple):
    """A batch of videos. A network reads the fields that its options' `inputs` name.

    visual: (B, T, Dv) pooled visual vectors.
    audio: (B, T, P, Q, Da) audio maps, channels last (VGGish: 12 x 8 x 512).
    valid: (B, T, K) bool, False where a clip is padding (all features are zero). For networks that
        mask padding; the paper's network does not.
    visual_maps: (B, T, P, Q, Dv) visual maps, channels last (DenseNet-201: 7 x 7 x 1920).

    The dtype is that of the network, or any floating type under autocast.
    """

    visual: Tensor | None = None
    audio: Tensor | None = None
    valid: Tensor | None = None
    visual_maps: Tensor | None = None


class Output(NamedTuple):
    """What a network computes for a batch.

    logits: (B, C). attention: (B, T, K), nonnegative, sums to 1 for each video.
    parts: (B, P, C) logits of the classifiers whose probabilities `logits` blends. Each has a loss
        of its own in training. None for a network with one classifier.
    """

    logits: Tensor
    attention: Tensor
    parts: Tensor | None = None


class Network(nn.Module):
    """Interface of every network. The constructor takes the keywords of `build_network`.

    Its `options` are an instance of the model in the network's registry entry.
    """

    def forward(self, features: Features) -> Output:
        """Logits and attention of a batch."""
        raise NotImplementedError

    def visual_path(self) -> list[nn.Parameter]:
        """The parameters that a dropped step does not update (paper, figure 6).

        Update dropping balances two paths. A network without two paths returns an empty list.
        """
        return []


def at_least_float32(x: Tensor) -> Tensor:
    """x in float32 if its type is shorter, otherwise unchanged.

    A softmax needs it: autocast on a CPU leaves softmax in bfloat16.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def in_float32(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator: the method gets its inputs in float32 at least and computes without autocast.

    For layers that run once for each clip or video. They cost little, and rounding them to bfloat16
    changes the loss more than rounding all positions of the maps.
    """

    @wraps(method)
    def exact(layer: nn.Module, *inputs: Tensor) -> Tensor:
        with torch.autocast(inputs[0].device.type, enabled=False):
            return method(layer, *map(at_least_float32, inputs))

    return exact


def mean_vectors(maps: Tensor) -> Tensor:
    """The mean over the positions: vectors (B, T, D) of maps (B, T, P, Q, D)."""
    return maps.mean((2, 3))


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (N, C) or (N, C, P, Q) over all axes but the channels.

    As in the original, the running variance uses the biased variance of the batch; PyTorch
    would use the unbiased one. `momentum` is PyTorch's: 0.001 is a decay of 0.999.

    warmup: the running statistics are the mean over all batches so far, until a batch has the share
        `momentum` in them. Without it they start from mean 0 and variance 1.
    """

    def __init__(
        self, channels: int, eps: float = 1e-3, momentum: float = 1e-3, warmup: bool = False
    ) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.warmup = warmup

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x by the batch's statistics in training, otherwise by the running statistics.

        In training a channel needs two or more values; otherwise PyTorch raises a ValueError.
        """
        if not self.training:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        # With momentum 1, these two become the batch's mean and unbiased variance.
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        y = functional.batch_norm(
            x, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
        )
        count = x.numel() // x.shape[1]
        self.update(mean, variance * ((count - 1) / count))
        return y

    @torch.no_grad()
    def update(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics by a batch's mean and biased variance (C,)."""
        self.num_batches_tracked += 1
        momentum = self.momentum
        if self.warmup:
            share = self.num_batches_tracked.to(self.running_mean.dtype).reciprocal()
            momentum = share.clamp(min=momentum)  # a tensor: a number would wait for the GPU
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def norm_of(options: NormOptions) -> Norm:
    """The `Norm` that makes a BatchNorm with the options' momentum and epsilon."""

    def norm(channels: int) -> BatchNorm:
        return BatchNorm(channels, options.bn_eps, options.bn_momentum, options.bn_warmup)

    return norm


class Film(nn.Module):
    """Feature-wise linear modulation: a linear map of the condition scales and shifts channels."""

    def __init__(self, condition_features: int, channels: int) -> None:
        super().__init__()
        self.generator = nn.Linear(condition_features, 2 * channels)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """(1 + gamma) * maps + beta for maps (N, H, P, Q) and condition (N, D)."""
        gamma, beta = self.generator(condition)[..., None, None].chunk(2, dim=1)
        return (1 + gamma) * maps + beta


class ResidualBlock(nn.Module):
    """The residual block on one modality's maps (paper, figure 4), pooled to one vector per clip.

    condition_features: channels of the other modality's vector that conditions the maps through
        FiLM; None for the block without FiLM (paper, table 4).
    """

    def __init__(
        self, features: int, hidden: int, norm: Norm, condition_features: int | None = None
    ) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(features, hidden, 1)
        self.conv3x3 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.norm = norm(hidden)
        self.film = None if condition_features is None else Film(condition_features, hidden)

    def forward(self, maps: Tensor, condition: Tensor | None = None) -> Tensor:
        """Vectors (B, T, H) of maps (B, T, P, Q, D) and, with FiLM, condition (B, T, D')."""
        x = maps.flatten(0, 1).permute(0, 3, 1, 2)  # (N, D, P, Q), a view: channels_last memory
        r = self.conv1x1(x).relu()  #                 (N, H, P, Q)
        y = self.norm(self.conv3x3(r))  #             (N, H, P, Q)
        if self.film is not None:
            y = self.film(y, condition.flatten(0, 1))
        return (y.relu() + r).mean((2, 3)).unflatten(0, maps.shape[:2])  # (B, T, H)


class ModalityDense(nn.Module):
    """Dense-BN-ReLU that maps a modality's vectors to the hidden size; all clips share it."""

    def __init__(self, features: int, hidden: int, norm: Norm) -> None:
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = norm(hidden)

    @in_float32
    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, D) to (B, T, H)."""
        x = self.norm(self.linear(vectors.flatten(0, 1)))
        return x.relu().unflatten(0, vectors.shape[:2])


class Classifier(nn.Module):
    """A linear layer, then (with `logits_bn`) normalisation of the logits over the batch."""

    def __init__(self, features: int, classes: int, options: NormOptions) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.norm = norm_of(options)(classes) if options.logits_bn else nn.Identity()

    @in_float32
    def forward(self, vectors: Tensor) -> Tensor:
        """Logits (B, C) of vectors (B, D)."""
        return self.norm(self.linear(vectors))
