"""MAFnet, the multi-level attention fusion network (arXiv 2106.06736), and the paper's ablations.

    B  batch, videos           Dv  channels of visual features (DenseNet-201: 1920)
    T  clips of a video        Da  channels of audio features (VGGish: 512)
    K  modalities, 1 or 2      H   hidden size
    P x Q  positions of a map  F   size of the fused vector
    C  classes

Each modality has a path: a residual block on its maps, or their mean, then a dense layer. FiLM
conditions a residual block on the other modality's mean vector of the same clip. One
attention reads both paths. Then fusion combines their weighted sums (equations 1 to 10).

Where the paper and the authors' code differ, this follows the code unless an option says so.
"""

import torch
from torch import Tensor, nn

from mafnet.model.networks.attentions import attention_of, weighted_sum
from mafnet.model.networks.blocks import (
    Classifier,
    Features,
    ModalityDense,
    Network,
    Output,
    ResidualBlock,
    mean_vectors,
    norm_of,
)
from mafnet.model.networks.fusions import fusion_of
from mafnet.model.networks.options import MAFnetOptions, chosen


class MAFnet(Network):
    """Paths of the modalities, attention, fusion, classifier."""

    def __init__(
        self,
        *,
        classes: int,
        visual_features: int | None,
        audio_features: int | None,
        options: MAFnetOptions,
    ) -> None:
        super().__init__()
        hidden, self.modalities = options.hidden, chosen(options.modalities)
        self.visual_block = _block("visual", options, visual_features, audio_features)
        self.audio_block = _block("audio", options, audio_features, visual_features)
        self.visual_dense = _dense("visual", options, visual_features)
        self.audio_dense = _dense("audio", options, audio_features)
        self.attention = attention_of(options.attention, hidden, options.attention_score)
        self.fusion = fusion_of(options.fusion, hidden)
        fused = self.fusion(torch.zeros(1, len(self.modalities), hidden)).shape[1]
        self.classifier = Classifier(fused, classes, options)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, K) of the features that the options' `inputs` name."""
        paths = {"visual": self.visual_vectors, "audio": self.audio_vectors}
        vectors = [paths[modality](features) for modality in self.modalities]
        vectors = torch.stack(vectors, dim=2)  #                         (B, T, K, H)
        attention = self.attention(vectors)  #                           (B, T, K)
        fused = self.fusion(weighted_sum(attention, vectors))  #         (B, F)
        return Output(self.classifier(fused), attention)

    def visual_vectors(self, features: Features) -> Tensor:
        """The visual path: (B, T, H) of visual (B, T, Dv) or visual_maps (B, T, P, Q, Dv)."""
        if self.visual_block is None:
            return self.visual_dense(features.visual)
        condition = mean_vectors(features.audio) if self.visual_block.film else None
        return self.visual_dense(self.visual_block(features.visual_maps, condition))

    def audio_vectors(self, features: Features) -> Tensor:
        """The audio path: (B, T, H) of audio (B, T, P, Q, Da)."""
        if self.audio_block is None:
            return self.audio_dense(mean_vectors(features.audio))
        condition = self._visual_condition(features) if self.audio_block.film else None
        return self.audio_dense(self.audio_block(features.audio, condition))

    def _visual_condition(self, features: Features) -> Tensor:
        """The visual vectors (B, T, Dv) that condition the audio maps."""
        return features.visual if self.visual_block is None else mean_vectors(features.visual_maps)

    def visual_path(self) -> list[nn.Parameter]:
        """The parameters of the visual block and dense layer; none if there is one modality.

        A FiLM generator belongs to the path of the maps that it scales, so the generator that reads
        visual vectors is in the audio path. Every step updates running statistics, because they
        are not parameters.
        """
        if len(self.modalities) == 1:
            return []
        named = self.named_parameters()
        return [parameter for name, parameter in named if name.startswith("visual_")]


def _block(
    modality: str, options: MAFnetOptions, features: int | None, condition_features: int | None
) -> ResidualBlock | None:
    """The residual block on a modality's maps, None if the modality has no block."""
    if modality not in chosen(options.blocks):
        return None
    film = condition_features if modality in chosen(options.film) else None
    return ResidualBlock(features, options.hidden, norm_of(options), film)


def _dense(modality: str, options: MAFnetOptions, features: int | None) -> ModalityDense | None:
    """The dense layer of a modality, None if the network does not read the modality."""
    if modality not in chosen(options.modalities):
        return None
    inner = options.hidden if modality in chosen(options.blocks) else features
    return ModalityDense(inner, options.hidden, norm_of(options))
