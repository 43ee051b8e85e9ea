"""Multinomial logistic regression on pooled features: the simplest baseline of both modalities.

Symbols as in `blocks`. F = Dv + Da, the channels of both modalities.
"""

import torch
from torch import Tensor, nn

from mafnet.model.networks.blocks import (
    Features,
    Network,
    Output,
    at_least_float32,
    in_float32,
    mean_vectors,
)
from mafnet.model.networks.options import LogisticRegressionOptions


class LogisticRegression(Network):
    """A linear layer on the mean vector of each modality, standardised over the training videos.

    mean, scale: (F,), the mean and standard deviation of the training videos' vectors.
    """

    def __init__(
        self,
        *,
        classes: int,
        visual_features: int,
        audio_features: int,
        options: LogisticRegressionOptions,
    ) -> None:
        super().__init__()
        size = visual_features + audio_features
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.linear = nn.Linear(size, classes)

    def forward(self, features: Features) -> Output:
        """Logits (B, C). The attention (B, T, K) is equal for all clips that are not padding."""
        vectors = self.vectors(features)
        return Output(self.logits(vectors), _shares(features, 2).to(vectors.dtype) / 2)

    @staticmethod
    def vectors(features: Features) -> Tensor:
        """The mean of each modality over positions and clips, side by side: (B, F)."""
        shares = _shares(features, 2)
        visual = at_least_float32(features.visual)
        audio = mean_vectors(at_least_float32(features.audio))
        pairs = zip((visual, audio), shares.unbind(-1), strict=True)
        means = [(clips * share[..., None].to(clips.dtype)).sum(1) for clips, share in pairs]
        return torch.cat(means, dim=1)

    @in_float32
    def logits(self, vectors: Tensor) -> Tensor:
        """(B, C) of vectors (B, F)."""
        return self.linear((vectors - self.mean) / self.scale)


def _shares(features: Features, modalities: int) -> Tensor:
    """(B, T, K): the share of each clip in its modality's mean; 0 for padding, sum 1 over T."""
    valid = features.valid
    if valid is None:
        valid = features.visual.new_ones(*features.visual.shape[:2], modalities)
    valid = at_least_float32(valid.to(torch.float64))
    return valid / valid.sum(1, keepdim=True).clamp_min(1)
