"""DMRN, the dual multimodal residual network, on MAFnet's features (paper, table 1).

    M  inner size of the visual attention; the other symbols as in `mafnet`

In each clip the audio chooses positions of the visual map. A bidirectional LSTM reads each
modality. Residual fusion joins them clip by clip. The fused vectors are averaged over time.
"""

import torch
from torch import Tensor, nn

from mafnet.model.networks.attentions import uniform_attention
from mafnet.model.networks.blocks import (
    Classifier,
    Features,
    Network,
    Output,
    at_least_float32,
    mean_vectors,
)
from mafnet.model.networks.fusions import ResidualFusion
from mafnet.model.networks.options import DMRNOptions

ATTENTION_SIZE = 49
"""M; in the original it is the number of positions of the visual map."""

LSTM_UNITS = 128
"""Units of each direction."""


class AudioGuidedAttention(nn.Module):
    """The audio chooses among the positions of a visual map.

    z = W_h tanh(W_v relu(A_v V) + W_g relu(A_a a)), with the same audio term for all positions. The
    weights are the softmax of z over the positions.
    """

    def __init__(self, visual_features: int, audio_features: int, hidden: int) -> None:
        super().__init__()
        self.visual = _two_linear(visual_features, hidden)
        self.audio = _two_linear(audio_features, hidden)
        self.score = nn.Linear(ATTENTION_SIZE, 1, bias=False)

    def forward(self, maps: Tensor, audio: Tensor) -> Tensor:
        """Weights (B, T, P * Q), sum 1, of maps (B, T, P * Q, Dv) and audio (B, T, Da)."""
        both = self.visual(maps) + self.audio(audio).unsqueeze(2)  #     (B, T, P * Q, M)
        return at_least_float32(self.score(both.tanh()).squeeze(-1)).softmax(-1)


def _two_linear(features: int, hidden: int) -> nn.Module:
    """The matrices A and W of a modality."""
    inner = nn.Linear(hidden, ATTENTION_SIZE, bias=False)
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), inner)


class DMRN(Network):
    """Audio-guided visual attention, two LSTMs, residual fusion, mean over time, classifier."""

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: DMRNOptions
    ) -> None:
        super().__init__()
        self.attention = AudioGuidedAttention(visual_features, audio_features, options.hidden)
        self.visual_lstm = _bidirectional(visual_features)
        self.audio_lstm = _bidirectional(audio_features)
        self.fusion = ResidualFusion(2 * LSTM_UNITS)
        self.classifier = Classifier(2 * LSTM_UNITS, classes, options)

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual_maps and audio, both (B, T, P, Q, D).

        All clips and modalities have the same weight, because the attention of DMRN is over the
        positions of each clip.
        """
        audio = mean_vectors(features.audio)  #                          (B, T, Da)
        maps = features.visual_maps.flatten(2, 3)  #                     (B, T, P * Q, Dv)
        positions = self.attention(maps, audio).unsqueeze(2)  #          (B, T, 1, P * Q)
        visual = (positions @ maps).squeeze(2)  #                        (B, T, Dv)
        visual, _ = self.visual_lstm(visual)  #                          (B, T, 2 * 128)
        audio, _ = self.audio_lstm(audio)  #                             (B, T, 2 * 128)
        vectors = torch.stack((visual, audio), dim=2)  #                 (B, T, K, 2 * 128)
        fused = self.fusion(vectors).mean(1)  #                          (B, 2 * 128)
        return Output(self.classifier(fused), uniform_attention(vectors))


def _bidirectional(features: int) -> nn.LSTM:
    return nn.LSTM(features, LSTM_UNITS, batch_first=True, bidirectional=True)
