"""The head of `head_search.py`, with every piece that was tried as an option.

B  batch    T  clips    K  modalities: visual, audio    D  channels    H  hidden size    C  classes
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LOW = -1e4
"""Score of a padded clip before a softmax."""


@dataclass(frozen=True)
class Pieces:
    """Which pieces a head and its training have. The defaults have none of them.

    hidden: size of the vectors.
    inputs: how features are normalised: `none`, `layer` (each clip), `root` (square root, then each
        clip).
    attention: `mean`, `joint` (one softmax over the clips of both modalities), `each` (one for each
        modality), `cross` (the same, with scores of both modalities' vectors), `heads` (four of
        `cross`), or `transformer` (one layer over the 2 T clips, then the mean).
    parts: classifiers whose probabilities are blended, each with a loss of its own: `visual`,
        `audio`, `both` (of both vectors), `sum` (the sum of the logits of `visual` and `audio`).
    members: networks with other initial weights whose probabilities are blended.
    """

    hidden: int = 128
    inputs: str = "none"
    attention: str = "joint"
    norm: str = "none"
    parts: tuple[str, ...] = ("both",)
    members: int = 1
    drop_features: float = 0.0
    drop_hidden: float = 0.0
    drop_modality: float = 0.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    smoothing: float = 0.0
    mixup: float = 0.0
    average: float = 0.0
    noise: float = 0.0
    steps: int = 200


class Path(nn.Module):
    """A modality's vectors (B, T, H) of features (B, T, D); zero where a clip is not valid."""

    def __init__(self, features: int, chosen: Pieces) -> None:
        super().__init__()
        self.chosen = chosen
        self.linear = nn.Linear(features, chosen.hidden)
        norms = {"none": nn.Identity, "batch": nn.BatchNorm1d}
        self.norm = norms[chosen.norm](chosen.hidden)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        if self.training and self.chosen.noise:
            x = x + self.chosen.noise * torch.randn_like(x)
        kept = torch.ones(len(x), 1, x.shape[-1])  # the same features in all clips of a video
        x = x * nn.functional.dropout(kept, self.chosen.drop_features, self.training)
        clips = self.norm(self.linear(x[valid])).relu()
        y = clips.new_zeros(*valid.shape, self.chosen.hidden)
        y[valid] = nn.functional.dropout(clips, self.chosen.drop_hidden, self.training)
        return y


class Head(nn.Module):
    """Paths, attention, and the classifiers of the parts."""

    def __init__(self, widths: tuple[int, int], classes: int, clips: int, chosen: Pieces) -> None:
        super().__init__()
        self.chosen = chosen
        self.paths = nn.ModuleList(Path(width, chosen) for width in widths)
        hidden = chosen.hidden
        self.heads = 4 if chosen.attention == "heads" else 1
        cross = chosen.attention in ("cross", "heads")
        self.scores = nn.ModuleList(
            nn.Linear(2 * hidden if cross else hidden, self.heads) for _ in widths
        )
        if chosen.attention == "transformer":
            self.kind = nn.Parameter(0.02 * torch.randn(2, hidden))
            self.time = nn.Parameter(0.02 * torch.randn(clips, 1, hidden))
            self.layer = nn.TransformerEncoderLayer(
                chosen.hidden, 4, 2 * chosen.hidden, 0.1, batch_first=True,
                norm_first=True,
            )  # fmt: skip
        inputs = {"visual": hidden, "audio": hidden, "both": 2 * hidden}
        self.classifiers = nn.ModuleDict(
            {p: nn.Linear(self.heads * inputs[p], classes) for p in chosen.parts if p in inputs}
        )

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        """Logits (B, P, C) of the P parts."""
        if self.training and self.chosen.drop_modality:
            valid = valid & ~dropped(valid, self.chosen.drop_modality)
        vectors = [
            path(x, valid[..., k])
            for k, (path, x) in enumerate(zip(self.paths, (visual, audio), strict=True))
        ]
        if self.chosen.attention == "transformer":
            vectors = self.transformed(vectors, valid)
        video = self.pooled(vectors, valid)
        inputs = {"visual": video[0], "audio": video[1], "both": torch.cat(video, 1)}
        logits = {p: layer(inputs[p]) for p, layer in self.classifiers.items()}
        if "sum" in self.chosen.parts:
            logits["sum"] = logits["visual"] + logits["audio"]
        return torch.stack([logits[p] for p in self.chosen.parts], 1)

    def transformed(self, vectors: list[Tensor], valid: Tensor) -> tuple[Tensor, ...]:
        """Both vectors (B, T, H) after a layer in which all valid clips see each other."""
        stacked = torch.stack(vectors, 2) + self.kind + self.time
        mask = ~valid.flatten(1)
        mask = mask & ~mask.all(1, keepdim=True)
        found = self.layer(stacked.flatten(1, 2), src_key_padding_mask=mask)
        return found.view_as(stacked).unbind(2)

    def pooled(self, vectors: Sequence[Tensor], valid: Tensor) -> list[Tensor]:
        """A vector (B, M H) of each modality for M heads; zero for one without valid clips."""
        seen = vectors
        if self.chosen.attention in ("cross", "heads"):
            seen = [torch.cat(tuple(vectors), 2)] * 2
        each = valid[:, :, :, None]
        scores = torch.stack([s(x) for s, x in zip(self.scores, seen, strict=True)], 2)
        if self.chosen.attention in ("mean", "transformer"):
            scores = scores * 0
        scores = scores.masked_fill(~each, LOW)  # (B, T, K, M)
        if self.chosen.attention == "joint":
            weights = scores.flatten(1, 2).softmax(1).view_as(scores)
        else:
            weights = scores.softmax(1)
        weights = (weights * each).unbind(2)
        pairs = zip(weights, vectors, strict=True)
        return [torch.einsum("btm,bth->bmh", w, x).flatten(1) for w, x in pairs]


def dropped(valid: Tensor, rate: float) -> Tensor:
    """(B, 1, K) True for a modality that a video loses; never both."""
    lost = torch.rand(len(valid), device=valid.device) < rate
    which = torch.rand(len(valid), device=valid.device) < 0.5
    both = valid.any(1).all(1)
    return torch.stack((lost & both & which, lost & both & ~which), 1)[:, None]


class Members(nn.Module):
    """Networks side by side: logits (B, M P, C)."""

    def __init__(self, widths: tuple[int, int], classes: int, clips: int, chosen: Pieces) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            Head(widths, classes, clips, chosen) for _ in range(chosen.members)
        )

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        return torch.cat([head(visual, audio, valid) for head in self.heads], 1)
