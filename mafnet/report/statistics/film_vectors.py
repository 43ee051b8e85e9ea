"""The effect of FiLM (paper, Figure 7): one vector for each clip before and after FiLM."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor, nn

from mafnet.model.batches import Reader, predict
from mafnet.model.data import Data
from mafnet.model.networks.blocks import Film, Network
from mafnet.model.run_folder import RunFolder
from mafnet.model.train import trained_network

BATCH = 32


@dataclass(frozen=True)
class FilmVectors:
    """Feature maps, averaged over spatial positions, of N valid clips of test videos.

    modality: FiLM modulates the maps of this modality. before, after: (N, H).
    labels: (N,) class indices. videos: (N,) index of the clip's video.
    """

    modality: str
    before: np.ndarray
    after: np.ndarray
    labels: np.ndarray
    videos: np.ndarray


def film_vectors(run: RunFolder, data: Data) -> list[FilmVectors]:
    """The vectors of each FiLM layer of a trained run's network, on the test subset."""
    network = trained_network(run, data)
    subset = data.subset("test")
    reader = Reader(data, run.read_settings().inputs, torch.device("cpu"), "float32")
    with _watched(network) as seen:
        for _ in predict(network, reader, subset, BATCH, "float32"):
            pass
    found = []
    for name, pairs in seen.items():
        modality = "visual" if "visual" in name else "audio"
        valid = data.valid(subset.rows, [modality])[..., 0].ravel()  # (S * T,)
        before, after = (np.concatenate(half)[valid] for half in zip(*pairs, strict=True))
        labels, videos = (np.repeat(column, data.clips)[valid]
                          for column in (subset.labels, subset.rows))  # fmt: skip
        found.append(FilmVectors(modality, before, after, labels, videos))
    return found


@contextmanager
def _watched(network: Network) -> Iterator[dict[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """By name of the FiLM layer: its input and output for each batch."""
    seen: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    films = [(name, module) for name, module in network.named_modules() if isinstance(module, Film)]
    hooks = [module.register_forward_hook(_keep(seen, name)) for name, module in films]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _keep(seen: dict, name: str):  # noqa: ANN202 - torch has no public type for hooks
    def hook(module: nn.Module, inputs: Sequence[Tensor], output: Tensor) -> None:
        pair = tuple(maps.mean((2, 3)).float().numpy() for maps in (inputs[0], output))
        seen.setdefault(name, []).append(pair)

    return hook


def same_class_share(vectors: np.ndarray, labels: np.ndarray, videos: np.ndarray) -> float:
    """Share (0 to 1) of the clips whose nearest neighbour is of the same class.

    Clips of the same video are no neighbours, because they are similar in every network.
    vectors: (N, H).
    """
    distances = euclidean_distances(vectors.astype(float))
    distances[videos[:, None] == videos] = np.inf
    nearest = distances.argmin(axis=1)
    return float(np.mean(labels[nearest] == labels))


def chance_share(labels: np.ndarray, videos: np.ndarray) -> float:
    """The same share if the neighbour is a random clip of another video."""
    others = videos[:, None] != videos
    same = (labels[:, None] == labels) & others
    return float(np.mean(same.sum(axis=1) / np.maximum(others.sum(axis=1), 1)))
