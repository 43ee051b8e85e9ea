"""DMRN, the dual multimodal residual network, on MAFnet's features (paper, table 1).

    M  inner size of the visual attention; the other symbols as in `mafnet`

Sound chooses where to look in each clip, a bidirectional LSTM reads each modality, residual fusion
joins them clip by clip. For a whole video the fused vectors are averaged over time.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mafnet.model.networks.attentions import uniform_attention
from mafnet.model.networks.blocks import Classifier, Features, Network, Output, at_least_float32
from mafnet.model.networks.fusions import ResidualFusion
from mafnet.model.networks.mafnet import MAFnetOptions

ATTENTION_SIZE = 49
"""M; as many as the places of the visual map, for which the original had it."""

LSTM_UNITS = 128
"""Of each direction."""


class AudioGuidedAttention(nn.Module):
    """Sound chooses among the places of a visual map.

    z = W_h tanh(W_v relu(A_v V) + W_g relu(A_a a)), the same W_g relu(A_a a) for all places; the
    weights are the softmax of z over the places.
    """

    def __init__(self, visual_features: int, audio_features: int, hidden: int) -> None:
        super().__init__()
        self.visual = _two_linear(visual_features, hidden)
        self.audio = _two_linear(audio_features, hidden)
        self.score = nn.Linear(ATTENTION_SIZE, 1, bias=False)

    def forward(self, maps: Tensor, sound: Tensor) -> Tensor:
        """Weights (B, T, P * Q), sum 1, of maps (B, T, P * Q, Dv) and sound (B, T, Da)."""
        both = self.visual(maps) + self.audio(sound).unsqueeze(2)  #     (B, T, P * Q, M)
        return at_least_float32(self.score(both.tanh()).squeeze(-1)).softmax(-1)


def _two_linear(features: int, hidden: int) -> nn.Module:
    """A and W of a modality."""
    inner = nn.Linear(hidden, ATTENTION_SIZE, bias=False)
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), inner)


class DMRN(Network):
    """Audio-guided visual attention, two LSTMs, residual fusion, mean over time, classifier."""

    Options: ClassVar[type] = MAFnetOptions

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetOptions
    ) -> None:
        super().__init__()
        self.attention = AudioGuidedAttention(visual_features, audio_features, options.hidden)
        self.visual_lstm = _bidirectional(visual_features)
        self.audio_lstm = _bidirectional(audio_features)
        self.fusion = ResidualFusion(2 * LSTM_UNITS)
        self.classifier = Classifier(2 * LSTM_UNITS, classes, options.logits_norm)

    def forward(self, features: Features) -> Output:
        """Logits (B, C), attention (B, T, 2) of visual_maps (B, T, P, Q, Dv), audio likewise.

        All clips and modalities count alike: the attention is over places, inside each clip.
        """
        sound = features.audio.mean((2, 3))  #                           (B, T, Da)
        maps = features.visual_maps.flatten(2, 3)  #                     (B, T, P * Q, Dv)
        places = self.attention(maps, sound).unsqueeze(2)  #             (B, T, 1, P * Q)
        sight = (places @ maps).squeeze(2)  #                            (B, T, Dv)
        visual, _ = self.visual_lstm(sight)  #                           (B, T, 2 * 128)
        audio, _ = self.audio_lstm(sound)  #                             (B, T, 2 * 128)
        vectors = torch.stack((visual, audio), dim=2)  #                 (B, T, K, 2 * 128)
        fused = self.fusion(vectors).mean(1)  #                          (B, 2 * 128)
        return Output(self.classifier(fused), uniform_attention(vectors))


def _bidirectional(features: int) -> nn.LSTM:
    return nn.LSTM(features, LSTM_UNITS, batch_first=True, bidirectional=True)
