"""Attention Cluster on MAFnet's features (paper, table 1): several attentions over time.

    N  attention units of a modality; the other symbols as in `mafnet`

The audio maps are averaged over their positions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.networks.blocks import (
    Classifier,
    Features,
    Network,
    Output,
    at_least_float32,
    mean_vectors,
)
from mafnet.model.networks.options import AttentionClusterOptions


class Cluster(nn.Module):
    """N attention units over the clips of one modality, each with the shifting operation.

    Unit k: a = softmax over T of X w_k + b_k, v = a X, and its part of the result is
    (alpha_k v + beta_k) / (sqrt(N) ||alpha_k v + beta_k||). alpha starts at 1, beta at 0.
    """

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.score = nn.Linear(features, units)
        self.alpha = nn.Parameter(torch.ones(units, 1))
        self.beta = nn.Parameter(torch.zeros(units, 1))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N * D), of length 1, and weights (B, T, N), sum 1 over T, of vectors (B, T, D)."""
        attention = at_least_float32(self.score(vectors)).softmax(1)  #    (B, T, N)
        attended = attention.transpose(1, 2) @ vectors  #                  (B, N, D)
        shifted = self.alpha * at_least_float32(attended) + self.beta  #   (B, N, D)
        units = functional.normalize(shifted, dim=2) / len(self.alpha) ** 0.5
        return units.flatten(1), attention


class AttentionCluster(Network):
    """A cluster for each modality, dropout, classifier."""

    def __init__(
        self,
        *,
        classes: int,
        visual_features: int,
        audio_features: int,
        options: AttentionClusterOptions,
    ) -> None:
        super().__init__()
        self.visual_cluster = Cluster(visual_features, options.units)
        self.audio_cluster = Cluster(audio_features, options.units)
        self.dropout = nn.Dropout(options.dropout)
        features = options.units * (visual_features + audio_features)
        self.classifier = Classifier(features, classes, options)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual (B, T, Dv) and audio (B, T, P, Q, Da).

        The attention is the mean over the units. It sums to 1/2 for each modality.
        """
        audio = mean_vectors(features.audio)  #                          (B, T, Da)
        visual, visual_units = self.visual_cluster(features.visual)  #   (B, N * Dv), (B, T, N)
        audio, audio_units = self.audio_cluster(audio)  #                (B, N * Da), (B, T, N)
        fused = self.dropout(torch.cat((visual, audio), dim=1))  #       (B, N * (Dv + Da))
        attention = torch.stack((visual_units.mean(2), audio_units.mean(2)), dim=2) / 2
        return Output(self.classifier(fused), attention)
