"""Kinds of attention (paper, table 3): each is a distribution over the T x K clips of a video.

A kind has a softmax along some axes and equal weights along the others. So the weights of a video
sum to 1 for every kind, and the weighted sums over time have a similar size. One network scores the
clips of both modalities. Symbols as in `mafnet`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mafnet.model.networks.blocks import in_float32
from mafnet.model.networks.options import ATTENTIONS


def two_layer_score(hidden: int) -> nn.Module:
    """Dense(H, ReLU)-Dense(1): (..., H) to (..., 1), as in the authors' code."""
    return nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def one_layer_score(hidden: int) -> nn.Module:
    """ReLU(W x + b): (..., H) to (..., 1), as in the paper's text."""
    return nn.Sequential(nn.Linear(hidden, 1), nn.ReLU())


ATTENTION_SCORES = {"two_layer": two_layer_score, "one_layer": one_layer_score}
"""Functions of H that make the network that scores a vector, by name."""


class Attention(nn.Module):
    """Modality and temporal attention: one softmax over all T x K scores of a video.

    With one modality (K = 1) it is the temporal attention. `score` is a name of ATTENTION_SCORES.
    """

    def __init__(self, hidden: int, score: str) -> None:
        super().__init__()
        self.score = ATTENTION_SCORES[score](hidden)

    def forward(self, vectors: Tensor) -> Tensor:
        """Weights (B, T, K), sum 1 over T x K, of vectors (B, T, K, H)."""
        scores = self.scores(vectors)
        return scores.flatten(1).softmax(1).view_as(scores)

    @in_float32
    def scores(self, vectors: Tensor) -> Tensor:
        """(B, T, K) of vectors (B, T, K, H)."""
        return self.score(vectors).squeeze(-1)


class TemporalAttention(Attention):
    """A softmax over the clips of each modality; each modality has the weight 1 / K."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Weights (B, T, K), sum 1 / K over T, of vectors (B, T, K, H)."""
        return self.scores(vectors).softmax(1) / vectors.shape[2]


class ModalityAttention(Attention):
    """A softmax over the modalities of each clip; each clip has the weight 1 / T."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Weights (B, T, K), sum 1 / T over K, of vectors (B, T, K, H)."""
        return self.scores(vectors).softmax(2) / vectors.shape[1]


def uniform_attention(vectors: Tensor) -> Tensor:
    """No attention: weights (B, T, K), all 1 / (T * K), for vectors (B, T, K, H)."""
    clips, modalities = vectors.shape[1:3]
    dtype = torch.promote_types(vectors.dtype, torch.float32)
    return torch.full(vectors.shape[:3], 1 / (clips * modalities), dtype=dtype).to(vectors.device)


def attention_of(name: str, hidden: int, score: str) -> Callable[[Tensor], Tensor]:
    """The attention by name; `score` is a name of ATTENTION_SCORES."""
    found = globals()[ATTENTIONS[name]]
    return found(hidden, score) if isinstance(found, type) else found


def weighted_sum(attention: Tensor, vectors: Tensor) -> Tensor:
    """Each modality's sum over time (B, K, H): attention (B, T, K) times vectors (B, T, K, H)."""
    return (attention[..., None] * vectors).sum(1)
