"""MAFnet with changes that are not in the paper; docs/mafnet_plus.md has their measurements.

Symbols as in `mafnet`. Padded clips have attention 0, and batch statistics ignore them. The variant
in config.yaml also does not normalise the logits and has a larger `bn_momentum`.
"""

import torch
from torch import Tensor, nn

from mafnet.model.networks.attentions import weighted_sum
from mafnet.model.networks.blocks import Features, Output
from mafnet.model.networks.mafnet import MAFnet
from mafnet.model.networks.options import MAFnetOptions, MAFnetPlusOptions


class MAFnetPlus(MAFnet):
    """MAFnet that ignores padding."""

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetPlusOptions
    ) -> None:
        super().__init__(
            classes=classes,
            visual_features=visual_features,
            audio_features=audio_features,
            options=MAFnetOptions(**options.model_dump()),
        )

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual (B, T, Dv) and audio (B, T, P, Q, Da).

        Without `features.valid` every clip is valid.
        """
        valid = validity(features)  #                                     (B, T, K)
        valid_visual, valid_audio = valid.unbind(2)
        visual = of_valid(self.visual_dense, valid_visual, features.visual)  # (B, T, H)
        audio = of_valid(self.audio_block, valid_audio, features.audio, features.visual)
        audio = of_valid(self.audio_dense, valid_audio, audio)  #         (B, T, H)
        vectors = torch.stack((visual, audio), dim=2)  #                  (B, T, K, H)
        attention = masked_softmax(self.attention.scores(vectors), valid)  # (B, T, K)
        fused = self.fusion(weighted_sum(attention, vectors))  #          (B, K * H)
        return Output(self.classifier(fused), attention)


def masked_softmax(scores: Tensor, valid: Tensor) -> Tensor:
    """One softmax over the scores of a video's valid clips; over all clips if none is valid.

    Weights (B, T, K), sum 1 over T x K, of scores (B, T, K) and valid (B, T, K).
    """
    masked = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
    return masked.flatten(1).softmax(1).view_as(scores)


def validity(features: Features) -> Tensor:
    """(B, T, K) bool: True if a clip is not padding. True for all if the batch has no `valid`."""
    if features.valid is not None:
        return features.valid
    clips = features.visual.shape[:2]
    return torch.ones(*clips, 2, dtype=torch.bool, device=features.visual.device)


def of_valid(module: nn.Module, valid: Tensor, *inputs: Tensor) -> Tensor:
    """The module's output for the valid clips of (B, T, ...) inputs, and zeros for the others.

    valid: (B, T) bool. In training the module gets the N valid clips as one video, (1, N, ...), so
    that padding enters no statistic. A normalisation needs two clips, so with fewer valid clips the
    module gets all clips. In evaluation clips do not affect each other, so it gets all.
    """
    if not module.training or valid.sum() < 2:
        output = module(*inputs)
        return output.masked_fill(~valid.view(*valid.shape, *[1] * (output.dim() - 2)), 0)
    output = module(*(each[valid][None] for each in inputs))[0]
    result = output.new_zeros((*valid.shape, *output.shape[1:]))
    result[valid] = output
    return result
