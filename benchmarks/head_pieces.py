"""The head of `head_search.py`, with every piece that was tried as an option.

B  batch    T  clips    K  modalities: visual, audio    D  channels    H  hidden size    C  classes
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

LOW = -1e4
"""Score of a padded clip before a softmax."""


@dataclass(frozen=True)
class Pieces:
    """Which pieces a head and its training have. The defaults have none of them.

    inputs: how features are normalised: `none`, `layer` (each clip), `standard` (each feature over
        the training clips), `root` (square root, then length 1).
    attention: `mean`, `joint` (one softmax over the clips of both modalities), `each` (one for each
        modality), `heads` (four of each), `classes` (a score for each class and clip), or
        `transformer` (one layer over the 2 T clips).
    parts: classifiers whose probabilities are blended, each with a loss of its own.
    members: networks with other initial weights whose probabilities are blended.
    """

    hidden: int = 128
    inputs: str = "none"
    pool: str = "mean"
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
    """A modality's vectors (B, T, H) of features (B, T, D)."""

    def __init__(self, features: int, chosen: Pieces) -> None:
        super().__init__()
        self.chosen = chosen
        if not chosen.hidden:
            return
        self.linear = nn.Linear(features, chosen.hidden)
        norms = {"none": nn.Identity, "layer": nn.LayerNorm, "batch": nn.BatchNorm1d}
        self.norm = norms[chosen.norm](chosen.hidden)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.chosen.noise:
            x = x + self.chosen.noise * torch.randn_like(x)
        kept = torch.ones(len(x), 1, x.shape[-1])  # the same features in all clips of a video
        x = x * nn.functional.dropout(kept, self.chosen.drop_features, self.training)
        if not self.chosen.hidden:
            return x
        y = self.linear(x)
        y = self.norm(y.flatten(0, 1)).view_as(y) if self.chosen.norm == "batch" else self.norm(y)
        return nn.functional.dropout(y.relu(), self.chosen.drop_hidden, self.training)


class Head(nn.Module):
    """Paths, attention, and the classifiers of the parts."""

    def __init__(self, widths: tuple[int, int], classes: int, clips: int, chosen: Pieces) -> None:
        super().__init__()
        self.chosen, hidden = chosen, chosen.hidden
        self.paths = nn.ModuleList(Path(width, chosen) for width in widths)
        heads = {"heads": 4, "classes": classes}.get(chosen.attention, 1)
        sizes = [hidden or width for width in widths]
        self.scores = nn.ModuleList(nn.Linear(size, heads) for size in sizes)
        each = hidden * heads if chosen.attention == "heads" else hidden
        if chosen.attention == "transformer":
            self.kind = nn.Parameter(0.02 * torch.randn(2, hidden))
            self.time = nn.Parameter(0.02 * torch.randn(clips, 1, hidden))
            self.layer = nn.TransformerEncoderLayer(
                hidden, 4, 2 * hidden, chosen.drop_hidden, batch_first=True, norm_first=True
            )
        inputs = {"visual": each, "audio": each, "both": 2 * each}
        if not hidden:
            inputs = {"visual": sizes[0], "audio": sizes[1], "both": sum(sizes)}
        self.classifiers = nn.ModuleDict({p: nn.Linear(inputs[p], classes) for p in chosen.parts})

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        """Logits (B, P, C) of the P parts."""
        if self.training and self.chosen.drop_modality:
            valid = valid & ~dropped(valid, self.chosen.drop_modality)
        features = (visual, audio)
        vectors = [path(x) for path, x in zip(self.paths, features, strict=True)]
        if not self.chosen.hidden:
            return self.linear(vectors, valid)
        vectors = torch.stack(vectors, 2)
        if self.chosen.attention == "transformer":
            vectors = vectors + self.kind + self.time
            mask = ~valid.flatten(1)
            mask = mask & ~mask.all(1, keepdim=True)
            vectors = self.layer(vectors.flatten(1, 2), src_key_padding_mask=mask).view_as(vectors)
        if self.chosen.attention == "classes":
            return self.by_class(vectors, valid)
        video = self.pooled(vectors, valid)
        inputs = {"visual": video[:, 0], "audio": video[:, 1], "both": video.flatten(1)}
        return torch.stack([layer(inputs[p]) for p, layer in self.classifiers.items()], 1)

    def pooled(self, vectors: Tensor, valid: Tensor) -> Tensor:
        """(B, K, H') of vectors (B, T, K, H); a modality without valid clips is zero."""
        each = valid[..., None]
        scores = torch.stack(
            [s(vectors[:, :, k]) for k, s in enumerate(self.scores)], 2
        )  # (B, T, K, M)
        if self.chosen.attention in ("mean", "transformer"):
            scores = scores * 0
        scores = scores.masked_fill(~each, LOW)
        if self.chosen.attention == "joint":
            weights = scores.flatten(1, 2).softmax(1).view_as(scores)
        else:
            weights = scores.softmax(1)
        weights = weights * each
        return torch.einsum("btkm,btkh->bkmh", weights, vectors).flatten(2)

    def linear(self, vectors: list[Tensor], valid: Tensor) -> Tensor:
        """Logits (B, P, C) of classifiers of the features themselves."""
        video = []
        for k, (each, score) in enumerate(zip(vectors, self.scores, strict=True)):
            scores = score(each).masked_fill(~valid[:, :, k, None], LOW)
            weights = scores.softmax(1) * valid[:, :, k, None]
            video.append((weights * each).sum(1))
        inputs = {"visual": video[0], "audio": video[1], "both": torch.cat(video, 1)}
        return torch.stack([layer(inputs[p]) for p, layer in self.classifiers.items()], 1)

    def by_class(self, vectors: Tensor, valid: Tensor) -> Tensor:
        """Logits (B, P, C): class scores of clips, weighted by an attention for each class."""
        pairs = [
            (self.classifiers[n], s) for n, s in zip(("visual", "audio"), self.scores, strict=True)
        ]
        logits = torch.stack([c(vectors[:, :, k]) for k, (c, _) in enumerate(pairs)], 2)
        scores = torch.stack([s(vectors[:, :, k]) for k, (_, s) in enumerate(pairs)], 2)
        scores = scores.masked_fill(~valid[..., None], LOW)
        alone = ((scores.softmax(1) * valid[..., None]) * logits).sum(1)
        joint = scores.flatten(1, 2).softmax(1).view_as(scores) * valid[..., None] * logits
        return torch.cat((alone, joint.sum((1, 2))[:, None]), 1)


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
