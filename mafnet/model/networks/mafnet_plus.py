"""A head that is not in the paper: an ensemble of networks with a classifier for each modality.

docs/mafnet_plus.md has the measurements of each part. Symbols as in `mafnet`, and D for the
channels of a modality's vectors: Dv or Da.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.networks.blocks import (
    BatchNorm,
    Features,
    ModalityDense,
    Network,
    Output,
    at_least_float32,
    in_float32,
    mean_vectors,
)
from mafnet.model.networks.options import MAFnetPlusOptions

MOMENTUM = 0.1
"""Share of a batch in the running statistics, after a warm-up."""


class MAFnetPlus(Network):
    """Networks with other initial weights, side by side.

    Each of their classifiers has a loss of its own in training. The prediction is the mean of the
    class probabilities of all classifiers; the attention is the mean of the networks' attention.
    """

    def __init__(
        self, *, classes: int, visual_features: int, audio_features: int, options: MAFnetPlusOptions
    ) -> None:
        super().__init__()
        widths = (visual_features, audio_features)
        self.ensemble = nn.ModuleList(
            Single(classes, widths, options) for _ in range(options.ensemble)
        )

    def forward(self, features: Features) -> Output:
        """Logits (B, C) and attention (B, T, 2) of visual (B, T, Dv) and audio (B, T, P, Q, Da)."""
        inputs = features.visual, mean_vectors(features.audio), validity(features)
        parts, attention = zip(*(network(*inputs) for network in self.ensemble), strict=True)
        parts = torch.cat(parts, dim=1)  #  (B, 3M, C) of M networks
        logits = parts.log_softmax(2).logsumexp(1)  # of the mean probabilities
        return Output(logits, shares(torch.stack(attention).mean(0)), parts)


class Single(nn.Module):
    """A path, an attention and a classifier for each modality; the third classifier is their sum.

    The attention of each modality looks at the vectors of both. Padding has no attention and is in
    no statistic.
    """

    def __init__(self, classes: int, widths: tuple[int, int], options: MAFnetPlusOptions) -> None:
        super().__init__()
        hidden = options.hidden
        self.visual = Path(widths[0], options)
        self.audio = Path(widths[1], options)
        self.score = nn.Linear(2 * hidden, 2)
        self.visual_classifier = nn.Linear(hidden, classes)
        self.audio_classifier = nn.Linear(hidden, classes)

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, 3, C) and attention (B, T, 2) of features (B, T, Dv) and (B, T, Da)."""
        visual = self.visual(visual, valid[..., 0])  #                           (B, T, H)
        audio = self.audio(audio, valid[..., 1])
        attention = self.attention(torch.cat((visual, audio), dim=2), valid)
        on_visual, on_audio = attention.split(1, dim=2)
        parts = self.parts((on_visual * visual).sum(1), (on_audio * audio).sum(1))
        return parts, attention

    def attention(self, vectors: Tensor, valid: Tensor) -> Tensor:
        """(B, T, 2), with sum 1 over the valid clips of each modality, of vectors (B, T, 2H).

        It is zero for a modality without a valid clip.
        """
        scores = self.scores(vectors)
        scores = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
        return scores.softmax(1) * valid

    @in_float32
    def scores(self, vectors: Tensor) -> Tensor:
        """(B, T, 2) of vectors (B, T, 2H)."""
        return self.score(vectors)

    @in_float32
    def parts(self, visual: Tensor, audio: Tensor) -> Tensor:
        """Logits (B, 3, C) of the classifiers visual, audio and sum, of vectors (B, H)."""
        from_visual, from_audio = self.visual_classifier(visual), self.audio_classifier(audio)
        return torch.stack((from_visual, from_audio, from_visual + from_audio), dim=1)


class Path(nn.Module):
    """From the features of the clips of one modality to their vectors."""

    def __init__(self, features: int, options: MAFnetPlusOptions) -> None:
        super().__init__()
        self.dense = ModalityDense(
            features, options.hidden, lambda size: BatchNorm(size, momentum=MOMENTUM, warmup=True)
        )
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """(B, T, H) of features (B, T, D) and valid (B, T); zero where a clip is not valid."""
        x = at_least_float32(x)
        return self.dropout(of_valid(self.dense, valid, functional.layer_norm(x, x.shape[-1:])))


def shares(attention: Tensor) -> Tensor:
    """Attention (B, T, K) with sum 1 for each video; equal weights if all are 0."""
    total = attention.sum((1, 2), keepdim=True)
    equal = torch.full_like(attention, 1 / attention[0].numel())
    return torch.where(total > 0, attention / total.clamp_min(1), equal)


def validity(features: Features) -> Tensor:
    """(B, T, K) bool: True if a clip is not padding. True for all if the batch has no `valid`."""
    if features.valid is not None:
        return features.valid
    clips = features.visual.shape[:2]
    return torch.ones(*clips, 2, dtype=torch.bool, device=features.visual.device)


def of_valid(module: nn.Module, valid: Tensor, x: Tensor) -> Tensor:
    """The module's output (B, T, H) for the valid clips of x (B, T, D), and zeros for the others.

    valid: (B, T) bool. In training the module gets the N valid clips as one video, (1, N, D), so
    that padding enters no statistic. A normalisation needs two clips, so with fewer valid clips the
    module gets all clips. In evaluation clips do not affect each other, so it gets all.
    """
    if not module.training or valid.sum() < 2:
        return module(x).masked_fill(~valid[..., None], 0)
    output = module(x[valid][None])[0]
    result = output.new_zeros((*valid.shape, output.shape[-1]))
    result[valid] = output
    return result
