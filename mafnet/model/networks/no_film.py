"""MAFnet without FiLM, its fusion and its attention to choose (paper, tables 2 and 3).

Symbols as in `mafnet`. The audio path keeps its residual block, but for FiLM, as in `single`.
Fusion comes after attention (equations 1 to 10): what is fused is each modality's weighted sum.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from mafnet.model.networks.attentions import ATTENTIONS
from mafnet.model.networks.blocks import (
    Classifier,
    Features,
    ModalityDense,
    Network,
    Output,
    ResidualBlock,
    weighted_sum,
)
from mafnet.model.networks.fusions import FUSIONS
from mafnet.model.networks.mafnet import MAFnetOptions, check_option


@dataclass(frozen=True)
class NoFilmOptions(MAFnetOptions):
    """Beside MAFnet's: fusion, a name of FUSIONS; attention, a name of ATTENTIONS."""

    fusion: str = "concatenation"
    attention: str = "modality_temporal"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("fusion", self.fusion, self.fusion in FUSIONS, " or ".join(FUSIONS))
        known = self.attention in ATTENTIONS
        check_option("attention", self.attention, known, " or ".join(ATTENTIONS))


class NoFilm(Network):
    """Two paths that know nothing of each other, attention, fusion, classifier."""

    Options: ClassVar[type] = NoFilmOptions

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: NoFilmOptions
    ) -> None:
        super().__init__()
        hidden, norm = options.hidden, options.norm
        self.audio_block = ResidualBlock(audio_features, hidden, norm)
        self.visual_dense = ModalityDense(visual_features, hidden, norm)
        self.audio_dense = ModalityDense(hidden, hidden, norm)
        self.attention = ATTENTIONS[options.attention](hidden, options.attention_score)
        self.fusion = FUSIONS[options.fusion](hidden)
        self.classifier = Classifier(self.fusion.features, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual (B, T, Dv) and audio (B, T, P, Q, Da)."""
        visual = self.visual_dense(features.visual)  #                   (B, T, H)
        audio = self.audio_dense(self.audio_block(features.audio))  #    (B, T, H)
        vectors = torch.stack((visual, audio), dim=2)  #                 (B, T, K, H)
        attention = self.attention(vectors)  #                           (B, T, K)
        fused = self.fusion(weighted_sum(attention, vectors))  #         (B, F)
        return Output(self.classifier(fused), attention)

    def visual_path(self) -> list[nn.Parameter]:
        """The visual dense layer, as in MAFnet."""
        return list(self.visual_dense.parameters())
