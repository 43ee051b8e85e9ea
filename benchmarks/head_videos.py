"""The videos of `head_search.py` and their splits."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

HELD_OUT = 1 / 3
"""Share of the sources of a class that a split holds out."""


@dataclass(frozen=True)
class Videos:
    """Features and labels of all videos of train and val.

    pictures, sounds: (N,) names of the sources, "" for none. official: (N,) True in val.
    """

    visual: Tensor
    maps: Tensor
    valid: Tensor
    labels: np.ndarray
    pictures: np.ndarray
    sounds: np.ndarray
    official: np.ndarray

    @cached_property
    def audio(self) -> Tensor:
        """(N, T, D), the mean over positions."""
        return self.maps.float().mean((2, 3))


def read(features: Path, manifest: Path, groups: Path) -> Videos:
    """The videos of train and val; others are not read."""
    rows = pd.read_csv(manifest).merge(pd.read_csv(groups), on="sample")
    rows = rows[rows.subset != "test"]
    with np.load(features) as file:
        places = {Path(name).stem: place for place, name in enumerate(file["videos"])}
        chosen = rows["sample"].map(places).to_numpy()
        visual, maps, valid = (file[name][chosen] for name in ("visual", "audio", "valid"))
    return Videos(
        torch.from_numpy(visual).float(), torch.from_numpy(maps), torch.from_numpy(valid),
        np.unique(rows.label, return_inverse=True)[1],
        rows.picture_source.fillna("").to_numpy(str), rows.sound_source.fillna("").to_numpy(str),
        (rows.subset == "val").to_numpy(),
    )  # fmt: skip


def split(videos: Videos, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and validation videos of a split; split 0 is the official one."""
    if number == 0:
        return np.flatnonzero(~videos.official), np.flatnonzero(videos.official)
    generator = np.random.default_rng(number)
    held = np.zeros((2, len(videos.labels)), bool)
    known = np.stack([names != "" for names in (videos.pictures, videos.sounds)])
    for label in np.unique(videos.labels):
        own = videos.labels == label
        for kind, names in enumerate((videos.pictures, videos.sounds)):
            sources = np.unique(names[own & known[kind]])
            count = max(1, round(HELD_OUT * len(sources)))
            chosen = generator.permutation(sources)[: min(count, len(sources) - 1)]
            held[kind] |= own & np.isin(names, chosen)
    validation = (held | ~known).all(0)
    return np.flatnonzero(~held.any(0)), np.flatnonzero(validation)


def subsample(training: np.ndarray, labels: np.ndarray, size: int, number: int) -> np.ndarray:
    """`size` of the training videos, as many of each class as possible; all if there are fewer."""
    if size >= len(training):
        return training
    order = np.random.default_rng(1000 + number).permutation(training)
    rank = np.empty(len(order), int)
    for label in np.unique(labels):
        own = labels[order] == label
        rank[own] = np.arange(own.sum())
    return order[np.argsort(rank, kind="stable")[:size]]
