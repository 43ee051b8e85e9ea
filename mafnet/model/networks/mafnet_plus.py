"""MAFnet with what the paper lacks and measurements asked for (docs/mafnet_plus.md).

Symbols as in `mafnet`. Padded clips enter neither the attention nor a statistic. The variant in
config.yaml also leaves the logits as they are and lets the running statistics follow faster.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mafnet.model.networks.blocks import Attention, Features, Output, weighted_sum
from mafnet.model.networks.mafnet import MAFnet


class MaskedAttention(Attention):
    """One softmax over the scores of a video's valid clips; over all where none is valid."""

    def forward(self, vectors: Tensor, valid: Tensor) -> Tensor:
        """Weights (B, T, K), sum 1 over T x K, of vectors (B, T, K, H) and valid (B, T, K)."""
        scores = self.scores(vectors)
        masked = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
        return masked.flatten(1).softmax(1).view_as(scores)


class MAFnetPlus(MAFnet):
    """MAFnet, blind to padding."""

    attention_class: ClassVar[type[Attention]] = MaskedAttention

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual (B, T, Dv) and audio (B, T, P, Q, Da).

        Without `features.valid` every clip is valid.
        """
        valid = validity(features)  #                                     (B, T, K)
        seen, heard = valid.unbind(2)
        visual = of_valid(self.visual_dense, seen, features.visual)  #    (B, T, H)
        audio = of_valid(self.audio_block, heard, features.audio, features.visual)
        audio = of_valid(self.audio_dense, heard, audio)  #               (B, T, H)
        vectors = torch.stack((visual, audio), dim=2)  #                  (B, T, K, H)
        attention = self.attention(vectors, valid)  #                     (B, T, K)
        fused = weighted_sum(attention, vectors).flatten(1)  #            (B, K * H)
        return Output(self.classifier(fused), attention)


def validity(features: Features) -> Tensor:
    """(B, T, K) bool: which clips are no padding; all where the batch does not say."""
    if features.valid is not None:
        return features.valid
    clips = features.visual.shape[:2]
    return torch.ones(*clips, 2, dtype=torch.bool, device=features.visual.device)


def of_valid(module: nn.Module, valid: Tensor, *inputs: Tensor) -> Tensor:
    """What a module makes of the valid clips of (B, T, ...) inputs, and zeros for the others.

    valid: (B, T) bool. In training the module is shown the N valid clips as one video, (1, N, ...),
    so that no statistic knows of padding; if they are fewer than the two that a normalisation
    needs, all clips. Otherwise clips do not touch each other, and it is shown all.
    """
    if not module.training or valid.sum() < 2:
        made = module(*inputs)
        return made.masked_fill(~valid.view(*valid.shape, *[1] * (made.dim() - 2)), 0)
    made = module(*(each[valid][None] for each in inputs))[0]
    result = made.new_zeros((*valid.shape, *made.shape[1:]))
    result[valid] = made
    return result
