"""Accuracy of `mafnet` by the settings of training and the number of training videos.

    python -m benchmarks.defaults FEATURES.npz MANIFEST.csv --sizes 60 300 3000
    python -m benchmarks.defaults --sizes 60 300 3000

With files (in the form of `feature_studies.py`), validation videos choose the epoch and measure it;
test videos are not used. If the files have fewer training videos than a size, training videos are
made of the frames of one video and the sound of another one of the same class. Without files, the
features are random numbers of five classes, and 1,000 other videos measure the chosen epoch.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.feature_studies import CPU, Features, right, spread
from benchmarks.markdown import markdown
from mafnet.dataset.manifest import Sample
from mafnet.model.batches import Reader
from mafnet.model.config import Training
from mafnet.model.data import Subset
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import train, trained_network

STEPS = 1200
"""Training steps of a run with 3,000 videos; smaller sets have fewer, but more epochs."""
SETTINGS = {
    "1e-4, no warm-up (the authors' code)": ({"learning_rate": 1e-4}, {"bn_warmup": False}),
    "1e-4": ({"learning_rate": 1e-4}, {}),
    "1e-3, no warm-up": ({}, {"bn_warmup": False}),
    "1e-3 (default)": ({}, {}),
    "1e-3, `bn_momentum` 0.1": ({}, {"bn_momentum": 0.1}),
    "1e-3, batches of 8": ({"batch_size": 8}, {}),
}
"""Name -> what replaces the defaults of the training and of the network's options."""


class Sized:
    """Features with a chosen number of training videos, each with its frames and its sound."""

    digest = "benchmark"

    def __init__(
        self, arrays: dict[str, np.ndarray], labels: np.ndarray, subsets: np.ndarray, size: int
    ) -> None:
        self._arrays, self.manifest = arrays, Path("benchmark")
        self.classes = [str(label) for label in np.unique(labels)]
        number = np.searchsorted(self.classes, labels)
        own = np.flatnonzero(subsets == "train")
        random = np.random.default_rng(size)
        by_class = [random.permutation(own[number[own] == c]) for c in range(len(self.classes))]
        self._rows = {name: [] for name in ("visual", "audio")}
        for place in range(size):
            videos = by_class[place % len(by_class)]
            turn = place // len(by_class)
            self._rows["visual"].append(videos[turn % len(videos)])
            self._rows["audio"].append(
                videos[turn] if turn < len(videos) else random.choice(videos)
            )
        others = np.flatnonzero(subsets != "train")
        self._rows = {name: np.append(rows, others) for name, rows in self._rows.items()}
        self._labels = number[self._rows["visual"]]
        self._subsets = np.append(["train"] * size, subsets[others])

    @property
    def clips(self) -> int:
        return self._arrays["valid"].shape[1]

    def width(self, modality: str) -> int:
        return self._arrays[modality].shape[-1]

    def read(self, rows: np.ndarray, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: self._arrays[name][self._rows[name][rows]] for name in inputs}

    def valid(self, rows: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        each = [self._arrays["valid"][self._rows[name][rows]] for name in ("visual", "audio")]
        both = np.stack((each[0][..., 0], each[1][..., 1]), -1)
        return both[..., [("visual", "audio").index(name) for name in inputs]]

    def subset(self, name: str) -> Subset:
        rows = np.flatnonzero(self._subsets == name)
        labels = self._labels[rows]
        samples = [
            Sample(str(row), str(row), self.classes[label], name)
            for row, label in zip(rows, labels, strict=True)
        ]
        return Subset(samples, rows, labels)


def random_features(size: int, classes: int = 5, clips: int = 3) -> Sized:
    """Noise after a ReLU, with a direction for each class and an offset for each video."""
    counts = {"train": size, "val": max(20, size // 4), "test": 1000}
    subsets = np.repeat(list(counts), list(counts.values()))
    labels = np.concatenate([np.arange(count) % classes for count in counts.values()])
    generator = np.random.default_rng(size)
    arrays = {"valid": np.ones((len(labels), clips, 2), bool)}
    length = 0.22 if size < 1000 else 0.1  # with 0.22, one epoch of 3,000 videos reaches 99 %
    for name, shape in (("visual", (256,)), ("audio", (4, 4, 128))):
        directions = generator.normal(0, length, (classes, shape[-1]))
        video = directions[labels] + generator.normal(0, 0.5, (len(labels), shape[-1]))
        centre = video.reshape(len(labels), *[1] * len(shape), shape[-1])
        noise = generator.normal(-0.3, 1, (len(labels), clips, *shape))
        arrays[name] = np.maximum(centre + noise, 0).astype(np.float16)
    return Sized(arrays, labels, subsets, size)


def given_features(features: Path, manifest: Path, size: int) -> Sized:
    """The features of files."""
    given = Features(features, manifest, None)
    subsets = {name: given.subset(name) for name in ("train", "val")}
    rows = np.concatenate([each.rows for each in subsets.values()])
    labels = np.array(given.classes)[np.concatenate([each.labels for each in subsets.values()])]
    names = np.repeat(list(subsets), [len(each.rows) for each in subsets.values()])
    both = ("visual", "audio")
    arrays = given.read(rows, both) | {"valid": given.valid(rows, both)}
    return Sized(arrays, labels, names, size)


def accuracy(data: Sized, size: int, seed: int, measured: str, training: dict, own: dict) -> float:
    """The accuracy of one run, 0 to 1."""
    epochs = max(12, min(150, STEPS // max(1, size // 32)))
    settings = RunSettings(
        "tried", "mafnet", {"hidden": 128} | own,
        Training(max_epochs=epochs, precision="bfloat16", **training),
        seed, data.classes, data.clips, {},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        train(settings, data, Path(folder), CPU)
        network = trained_network(RunFolder(Path(folder)), data)
    reader = Reader(data, settings.inputs, CPU, "float32")
    return right(network, reader, data.subset(measured)).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("files", type=Path, nargs="*", help="FEATURES.npz MANIFEST.csv")
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 300, 3000])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = "val" if arguments.files else "test"
    shown = [[name] for name in SETTINGS]
    for size in arguments.sizes:
        data = given_features(*arguments.files, size) if arguments.files else random_features(size)
        for row, settings in zip(shown, SETTINGS.values(), strict=True):
            found = [
                accuracy(data, size, seed, measured, *settings) for seed in range(arguments.seeds)
            ]
            row.append(spread(found))
            sys.stderr.write(f"{size} videos, {row[0]}: {row[-1]}\n")
    titles = ["settings", *(f"{size} videos" for size in arguments.sizes)]
    sys.stdout.write(markdown(titles, shown) + "\n")


if __name__ == "__main__":
    main()
