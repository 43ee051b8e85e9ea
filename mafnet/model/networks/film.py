"""FiLM elsewhere than in the audio path (paper, table 4; FiLM in audio is MAFnet itself).

Symbols as in `mafnet`; P x Q are the places of either map. A residual block conditions by the other
modality's maps, averaged over their places, of the same clip. The visual block works on the visual
maps (7 x 7 x 1920). As MAFnet's visual path has no block, the audio path of its mirror image has
none: the paper does not say so, but lists two blocks without FiLM as another network.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from mafnet.model.networks.blocks import (
    Attention,
    Classifier,
    Features,
    ModalityDense,
    Network,
    Output,
    ResidualBlock,
    weighted_sum,
)
from mafnet.model.networks.mafnet import MAFnetOptions


class VisualFilm(Network):
    """MAFnet's mirror image: sound modulates a visual block, the audio path is pooled."""

    Options: ClassVar[type] = MAFnetOptions

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetOptions
    ) -> None:
        super().__init__()
        hidden, norm = options.hidden, options.norm
        self.visual_block = ResidualBlock(visual_features, hidden, norm, audio_features)
        self.visual_dense = ModalityDense(hidden, hidden, norm)
        self.audio_dense = ModalityDense(audio_features, hidden, norm)
        self.attention = Attention(hidden, options.attention_score)
        self.classifier = Classifier(2 * hidden, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C), attention (B, T, 2) of visual_maps (B, T, P, Q, Dv), audio likewise."""
        sound = features.audio.mean((2, 3))  #                           (B, T, Da)
        visual = self.visual_block(features.visual_maps, sound)  #       (B, T, H)
        visual = self.visual_dense(visual)  #                            (B, T, H)
        audio = self.audio_dense(sound)  #                               (B, T, H)
        vectors = torch.stack((visual, audio), dim=2)  #                 (B, T, K, H)
        attention = self.attention(vectors)  #                           (B, T, K)
        fused = weighted_sum(attention, vectors).flatten(1)  #           (B, K * H)
        return Output(self.classifier(fused), attention)

    def visual_path(self) -> list[nn.Parameter]:
        """The visual block with the FiLM generator that shapes its maps, and the dense layer."""
        return [*self.visual_block.parameters(), *self.visual_dense.parameters()]


@dataclass(frozen=True)
class TwoBlocksOptions(MAFnetOptions):
    """Beside MAFnet's: film, whether each block is conditioned by the other modality."""

    film: bool = True


class TwoBlocks(Network):
    """A residual block in both paths, both with FiLM or both without."""

    Options: ClassVar[type] = TwoBlocksOptions

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: TwoBlocksOptions
    ) -> None:
        super().__init__()
        hidden, norm = options.hidden, options.norm
        sound, sight = (audio_features, visual_features) if options.film else (None, None)
        self.visual_block = ResidualBlock(visual_features, hidden, norm, sound)
        self.audio_block = ResidualBlock(audio_features, hidden, norm, sight)
        self.visual_dense = ModalityDense(hidden, hidden, norm)
        self.audio_dense = ModalityDense(hidden, hidden, norm)
        self.attention = Attention(hidden, options.attention_score)
        self.classifier = Classifier(2 * hidden, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C), attention (B, T, 2) of visual_maps (B, T, P, Q, Dv), audio likewise."""
        sight = features.visual_maps.mean((2, 3))  #                     (B, T, Dv)
        sound = features.audio.mean((2, 3))  #                           (B, T, Da)
        visual = self.visual_block(features.visual_maps, sound)  #       (B, T, H)
        audio = self.audio_block(features.audio, sight)  #               (B, T, H)
        visual, audio = self.visual_dense(visual), self.audio_dense(audio)
        vectors = torch.stack((visual, audio), dim=2)  #                 (B, T, K, H)
        attention = self.attention(vectors)  #                           (B, T, K)
        fused = weighted_sum(attention, vectors).flatten(1)  #           (B, K * H)
        return Output(self.classifier(fused), attention)

    def visual_path(self) -> list[nn.Parameter]:
        """The visual block with the FiLM generator that shapes its maps, and the dense layer."""
        return [*self.visual_block.parameters(), *self.visual_dense.parameters()]
