"""The training of a candidate of `head_search.py` and its probabilities on validation videos."""

import copy

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from benchmarks.head_pieces import Members, Pieces
from benchmarks.head_videos import Videos
from mafnet.model.networks import build_network, reduced
from mafnet.model.networks.blocks import Features

BATCH, EVERY = 32, 20


def train(
    videos: Videos, training: np.ndarray, validation: np.ndarray, chosen: Pieces | str, seed: int
) -> np.ndarray:
    """Probabilities (E, V, C) of the validation videos after every EVERY steps."""
    torch.manual_seed(seed)
    classes = int(videos.labels.max()) + 1
    run = (
        Reference(videos, classes, chosen)
        if isinstance(chosen, str)
        else Own(videos, classes, chosen)
    )
    found, order = [], []
    for step in range(1, steps_of(chosen) + 1):
        run.network.train()
        if len(order) < min(BATCH, len(training)):
            order = list(torch.randperm(len(training)).numpy())
        batch, order = training[order[:BATCH]], order[BATCH:]
        run.step(batch, torch.from_numpy(videos.labels[batch]), step)
        if step % EVERY == 0:
            found.append(run.probabilities(validation))
    return np.stack(found)


def steps_of(chosen: Pieces | str) -> int:
    """The number of training steps."""
    return chosen.steps if isinstance(chosen, Pieces) else 400


class Reference:
    """MAFnet with the default settings of config.yaml, in bfloat16."""

    def __init__(self, videos: Videos, classes: int, name: str) -> None:
        self.videos = videos
        hidden = int(name.split()[1])
        self.network = build_network(
            "mafnet", classes=classes, visual_features=videos.visual.shape[-1],
            audio_features=videos.maps.shape[-1], options={"hidden": hidden},
        )  # fmt: skip
        reduced.install(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), 1e-3, fused=True)

    def logits(self, rows: np.ndarray) -> Tensor:
        features = Features(
            self.videos.visual[rows], self.videos.maps[rows], self.videos.valid[rows]
        )
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(features).logits.float()

    def step(self, rows: np.ndarray, labels: Tensor, number: int) -> None:
        del number
        loss = torch.nn.functional.cross_entropy(self.logits(rows), labels)
        self.optimiser.zero_grad()
        loss.backward()
        if torch.rand(()) < 0.1:
            for parameter in self.network.visual_path():
                parameter.grad = None
        self.optimiser.step()

    @torch.no_grad()
    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        self.network.eval()
        return self.logits(rows).softmax(1).numpy()


class Own:
    """A head of pieces and its training."""

    def __init__(self, videos: Videos, classes: int, chosen: Pieces) -> None:
        self.videos, self.chosen = videos, chosen
        self.inputs = (videos.visual, videos.audio)
        widths = tuple(each.shape[-1] for each in self.inputs)
        self.inputs = tuple(map(self.normalised, self.inputs))
        self.network = Members(widths, classes, videos.visual.shape[1], chosen)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), chosen.learning_rate, weight_decay=chosen.weight_decay,
            fused=True,
        )  # fmt: skip
        self.kept = copy.deepcopy(self.network)

    def normalised(self, x: Tensor) -> Tensor:
        """(N, T, D) by clip, which needs no training videos."""
        if self.chosen.inputs == "layer":
            return torch.nn.functional.layer_norm(x, x.shape[-1:])
        if self.chosen.inputs == "root":
            return torch.nn.functional.layer_norm(x.sqrt(), x.shape[-1:])
        return x

    def logits(
        self,
        network: torch.nn.Module,
        rows: np.ndarray,
        share: Tensor | None = None,
        other: np.ndarray | None = None,
    ) -> Tensor:
        visual, audio = (each[rows] for each in self.inputs)
        valid = self.videos.valid[rows]
        if share is not None:
            part = share[:, None, None]
            visual = part * visual + (1 - part) * self.inputs[0][other]
            audio = part * audio + (1 - part) * self.inputs[1][other]
            valid = valid | self.videos.valid[other]
        return network(visual, audio, valid)

    def step(self, rows: np.ndarray, labels: Tensor, number: int) -> None:
        share = other = None
        targets = torch.nn.functional.one_hot(labels, int(self.videos.labels.max()) + 1).float()
        if self.chosen.mixup:
            alpha = torch.tensor(self.chosen.mixup)
            share = torch.distributions.Beta(alpha, alpha).sample((len(rows),))
            order = torch.randperm(len(rows))
            other = rows[order.numpy()]
            targets = share[:, None] * targets + (1 - share[:, None]) * targets[order]
        logits = self.logits(self.network, rows, share, other)
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.repeat_interleave(logits.shape[1], 0),
            label_smoothing=self.chosen.smoothing,
        )  # fmt: skip
        self.optimiser.zero_grad()
        losses.backward()
        self.optimiser.step()
        decay = min(self.chosen.average, number / (number + 10))
        pairs = zip(
            self.kept.state_dict().values(), self.network.state_dict().values(), strict=True
        )
        for kept, new in pairs:
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)

    @torch.no_grad()
    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        self.kept.eval()
        return self.logits(self.kept, rows).softmax(2).numpy()


def regression(videos: Videos, training: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """Probabilities (E, V, C) of logistic regression on mean features, for five strengths."""
    valid = videos.valid.float()[..., None]
    total = valid.sum(1).clamp_min(1)
    x = torch.cat(
        [(each * valid[:, :, k]).sum(1) / total[:, k]
         for k, each in enumerate((videos.visual, videos.audio))], 1,
    ).numpy()  # fmt: skip
    spread = x[training].std(0)
    x = (x - x[training].mean(0)) / np.where(spread > 0, spread, 1)
    fits = [
        LogisticRegression(C=c, max_iter=200).fit(x[training], videos.labels[training])
        for c in (1e-4, 1e-3, 1e-2)
    ]
    return np.stack([fit.predict_proba(x[validation]) for fit in fits])
