"""Kinds of attention (paper, table 3), each a distribution over the T x K scores of a video.

A kind says along which axes it chooses; along the others it weighs all alike, so that the weights
of a video sum to 1 whatever the kind, and the weighted sums over time are of like size. The scores
come from one network that the modalities share. Symbols as in `blocks`.
"""

import torch
from torch import Tensor, nn

from mafnet.model.networks.blocks import Attention


def uniform_attention(vectors: Tensor) -> Tensor:
    """Weights (B, T, K), all 1 / (T * K), for vectors (B, T, K, H)."""
    clips, modalities = vectors.shape[1:3]
    dtype = torch.promote_types(vectors.dtype, torch.float32)
    return torch.full(vectors.shape[:3], 1 / (clips * modalities), dtype=dtype).to(vectors.device)


class NoAttention(nn.Module):
    """The mean over clips: no scores, no parameters."""

    def __init__(self, hidden: int, score: str) -> None:
        super().__init__()

    def forward(self, vectors: Tensor) -> Tensor:
        """Weights (B, T, K) of vectors (B, T, K, H)."""
        return uniform_attention(vectors)


class TemporalAttention(Attention):
    """A softmax over the clips of each modality; both modalities weigh 1 / K."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Weights (B, T, K), sum 1 / K over T, of vectors (B, T, K, H)."""
        return self.scores(vectors).softmax(1) / vectors.shape[2]


class ModalityAttention(Attention):
    """A softmax over the modalities of each clip; all clips weigh 1 / T."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Weights (B, T, K), sum 1 / T over K, of vectors (B, T, K, H)."""
        return self.scores(vectors).softmax(2) / vectors.shape[1]


ATTENTIONS = {
    "none": NoAttention,
    "temporal": TemporalAttention,
    "modality": ModalityAttention,
    "modality_temporal": Attention,
}
"""By name: made of the hidden size and the name of a score, see `blocks.Attention`."""
