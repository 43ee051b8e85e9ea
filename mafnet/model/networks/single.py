"""One modality with temporal attention alone (paper, table 2: visual, audio).

Symbols as in `blocks`; here K = 1. What MAFnet does to the modality is kept, but for FiLM.
"""

from typing import ClassVar

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


class VisualOnly(Network):
    """Dense layer on the pooled visual vectors, attention, classifier."""

    Options: ClassVar[type] = MAFnetOptions

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetOptions
    ) -> None:
        super().__init__()
        self.dense = ModalityDense(visual_features, options.hidden, options.norm)
        self.attention = Attention(options.hidden, options.attention_score)
        self.classifier = Classifier(options.hidden, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 1) of visual (B, T, Dv)."""
        vectors = self.dense(features.visual).unsqueeze(2)  #       (B, T, 1, H)
        attention = self.attention(vectors)  #                      (B, T, 1)
        pooled = weighted_sum(attention, vectors).flatten(1)  #     (B, H)
        return Output(self.classifier(pooled), attention)


class AudioOnly(Network):
    """Residual block without FiLM on the audio maps, dense layer, attention, classifier."""

    Options: ClassVar[type] = MAFnetOptions

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetOptions
    ) -> None:
        super().__init__()
        self.block = ResidualBlock(audio_features, options.hidden, options.norm)
        self.dense = ModalityDense(options.hidden, options.hidden, options.norm)
        self.attention = Attention(options.hidden, options.attention_score)
        self.classifier = Classifier(options.hidden, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 1) of audio (B, T, P, Q, Da)."""
        audio = self.block(features.audio)  #                       (B, T, H)
        vectors = self.dense(audio).unsqueeze(2)  #                 (B, T, 1, H)
        attention = self.attention(vectors)  #                      (B, T, 1)
        pooled = weighted_sum(attention, vectors).flatten(1)  #     (B, H)
        return Output(self.classifier(pooled), attention)
