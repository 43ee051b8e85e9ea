"""MAFnet, the multi-level attention fusion network (arXiv 2106.06736).

    B  batch, videos           Dv  channels of a visual vector (DenseNet-201: 1920)
    T  clips of a video        Da  channels of an audio map (VGGish: 512)
    K  modalities, here 2      H   hidden size
    P x Q  places of an audio map (VGGish: 12 x 8)
    C  classes

Where the paper and the authors' code differ, this follows the code unless an option says so.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from mafnet.common.errors import MafnetError
from mafnet.model.networks.blocks import (
    ATTENTION_SCORES,
    Attention,
    Classifier,
    Features,
    ModalityDense,
    Network,
    Norm,
    Output,
    ResidualBlock,
    batch_norm,
    weighted_sum,
)


@dataclass(frozen=True)
class MAFnetOptions:
    """Config section `model.network`; MafnetError for a value out of its range.

    hidden: H, size of every hidden layer; 512 in the paper.
    bn_momentum: share of a batch in the running statistics, above 0 to 1. The authors' 0.001
        (decay 0.999) keeps 90 % of the start after one epoch of AVE: small data sets need more.
    bn_eps: added to the variance, above 0; 1e-3 in the authors' code.
    logits_bn: batch normalisation of the logits; only the authors' code has it.
    attention_score: "two_layer", Dense(H, ReLU)-Dense(1) as in the authors' code, or
        "one_layer", ReLU(W x + b) as in the paper's text.
    """

    hidden: int = 512
    bn_momentum: float = 0.001
    bn_eps: float = 1e-3
    logits_bn: bool = True
    attention_score: str = "two_layer"

    def __post_init__(self) -> None:
        check_option("hidden", self.hidden, self.hidden >= 1, "1 or more")
        check_option("bn_momentum", self.bn_momentum, 0 < self.bn_momentum <= 1, "above 0 to 1")
        check_option("bn_eps", self.bn_eps, self.bn_eps > 0, "above 0")
        known = self.attention_score in ATTENTION_SCORES
        check_option("attention_score", self.attention_score, known, " or ".join(ATTENTION_SCORES))

    @property
    def norm(self) -> Norm:
        """Makes the batch normalisation of so many channels."""
        return batch_norm(momentum=self.bn_momentum, eps=self.bn_eps)

    @property
    def logits_norm(self) -> Norm | None:
        """The same for the logits, None where they are left as they are."""
        return self.norm if self.logits_bn else None


def check_option(option: str, value: object, good: bool, allowed: str) -> None:
    """MafnetError with what is allowed unless an option's value is good."""
    if not good:
        raise MafnetError(f"network option {option} is {value!r}; give {allowed}")


class MAFnet(Network):
    """FiLM on the audio path, modality and temporal attention, concatenation, classifier."""

    Options: ClassVar[type] = MAFnetOptions
    attention_class: ClassVar[type[Attention]] = Attention

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetOptions
    ) -> None:
        super().__init__()
        hidden, norm = options.hidden, options.norm
        self.audio_block = ResidualBlock(audio_features, hidden, norm, visual_features)
        self.visual_dense = ModalityDense(visual_features, hidden, norm)
        self.audio_dense = ModalityDense(hidden, hidden, norm)
        self.attention = self.attention_class(hidden, options.attention_score)
        self.classifier = Classifier(2 * hidden, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual (B, T, Dv) and audio (B, T, P, Q, Da)."""
        visual = self.visual_dense(features.visual)  #                   (B, T, H)
        audio = self.audio_block(features.audio, features.visual)  #     (B, T, H)
        audio = self.audio_dense(audio)  #                               (B, T, H)
        vectors = torch.stack((visual, audio), dim=2)  #                 (B, T, K, H)
        attention = self.attention(vectors)  #                           (B, T, K)
        fused = weighted_sum(attention, vectors).flatten(1)  #           (B, K * H)
        return Output(self.classifier(fused), attention)

    def visual_path(self) -> list[nn.Parameter]:
        """The visual dense layer and its BN's scale and shift.

        The FiLM generator reads the visual vector but shapes the audio maps: it is of the audio
        path and is updated on every step. Running statistics are no parameters and always move.
        """
        return list(self.visual_dense.parameters())
