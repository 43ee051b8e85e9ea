"""The plain way to train and evaluate MAFnet: eager float32, NCHW, Adam, features from pickles.

It follows the paper and its released code, and imports nothing of mafnet/model. B videos, T clips,
H hidden size, C classes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.plain import read_pickle


class PlainMAFnet(nn.Module):
    """MAFnet, one layer for each line of figures 2 and 4 of the paper."""

    def __init__(self, classes: int, hidden: int = 512) -> None:
        super().__init__()
        self.film = nn.Linear(1920, 2 * hidden)
        self.conv1 = nn.Conv2d(512, hidden, 1)
        self.conv3 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.conv_norm = nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.001)
        self.visual = nn.Linear(1920, hidden)
        self.visual_norm = nn.BatchNorm1d(hidden, eps=1e-3, momentum=0.001)
        self.audio = nn.Linear(hidden, hidden)
        self.audio_norm = nn.BatchNorm1d(hidden, eps=1e-3, momentum=0.001)
        self.score1 = nn.Linear(hidden, hidden)
        self.score2 = nn.Linear(hidden, 1)
        self.classifier = nn.Linear(2 * hidden, classes)
        self.logits_norm = nn.BatchNorm1d(classes, eps=1e-3, momentum=0.001)

    def forward(self, visual: Tensor, audio: Tensor) -> Tensor:
        """Logits (B, C) of visual vectors (B, T, 1920) and audio maps (B, T, 512, 12, 8)."""
        batch, clips = visual.shape[:2]
        frames, audio_maps = visual.flatten(0, 1), audio.flatten(0, 1)
        residual = torch.relu(self.conv1(audio_maps))
        gamma, beta = self.film(frames)[:, :, None, None].chunk(2, dim=1)
        maps = torch.relu((1 + gamma) * self.conv_norm(self.conv3(residual)) + beta) + residual
        audio_vectors = torch.relu(self.audio_norm(self.audio(maps.mean(dim=(2, 3)))))
        visual_vectors = torch.relu(self.visual_norm(self.visual(frames)))
        vectors = torch.stack([visual_vectors, audio_vectors], dim=1)
        scores = self.score2(torch.relu(self.score1(vectors))).view(batch, clips * 2)
        weights = scores.softmax(dim=1).view(batch, clips, 2, 1)
        fused = (weights * vectors.view(batch, clips, 2, -1)).sum(dim=1).flatten(1)
        return self.logits_norm(self.classifier(fused))


def read_batch(folder: Path, videos: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Visual vectors (B, T, 1920) and audio maps (B, T, 512, 12, 8) float32 of B videos."""
    visual = [read_pickle(folder / f"{video}.visual.pickle") for video in videos]
    audio = [read_pickle(folder / f"{video}.audio.pickle") for video in videos]
    vectors = np.stack([maps.mean(axis=(1, 2)) for maps in visual])
    maps = torch.from_numpy(np.stack(audio)).permute(0, 1, 4, 2, 3).contiguous()
    return torch.from_numpy(vectors), maps


def step(
    network: PlainMAFnet,
    optimiser: torch.optim.Adam,
    batch: tuple[Tensor, Tensor],
    labels: Tensor,
) -> float:
    """Update the weights once; returns the loss before the update."""
    optimiser.zero_grad()
    loss = functional.cross_entropy(network(*batch), labels)
    loss.backward()
    optimiser.step()
    return loss.item()


@torch.no_grad()
def evaluate(network: PlainMAFnet, folder: Path, videos: Sequence[str], size: int) -> np.ndarray:
    """Probabilities (videos, C), in batches of `size` videos."""
    network.eval()
    parts = []
    for start in range(0, len(videos), size):
        logits = network(*read_batch(folder, videos[start : start + size]))
        parts.append(logits.softmax(dim=1).numpy())
    return np.concatenate(parts)
