"""Accuracy of MAFnet by the settings of training, on small sets: a row for each setting.

    python benchmarks/defaults.py made 60                   # features drawn here, with 60 videos
    python benchmarks/defaults.py FOLDER                    # features.npz and manifest.csv

It trains with `mafnet.model.train` on one thread. FOLDER/features.npz has the arrays videos, visual
(S, T, Dv), audio (S, T, P, Q, Da) and valid (S, T, 2). Made features are measured on 1,000 test
videos, features of a folder on its validation videos only.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mafnet.dataset.manifest import Sample
from mafnet.model import train as loop
from mafnet.model.config import Training
from mafnet.model.data import Subset
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings

CPU = torch.device("cpu")
SETTINGS = {
    "as before": {"learning_rate": 1e-4, "bn_warmup": False, "drop": 1.0},
    "warm-up": {"learning_rate": 1e-4, "drop": 1.0},
    "warm-up, 1e-3": {"learning_rate": 1e-3, "drop": 1.0},
    "whole epochs": {"learning_rate": 1e-4},
    "whole epochs, 1e-3": {"learning_rate": 1e-3},
    "batch n/4, 1e-3": {"learning_rate": 1e-3, "quarter": True},
    "momentum 0.1, 1e-3": {"learning_rate": 1e-3, "bn_momentum": 0.1},
}


class Arrays:
    """Features in memory, with the methods of `mafnet.model.data.Data` that training calls."""

    def __init__(self, arrays: dict, labels: np.ndarray, subsets: np.ndarray) -> None:
        self._arrays, self._labels, self._subsets = arrays, labels, subsets
        self.classes = [str(label) for label in np.unique(labels)]
        self.manifest, self.digest = Path("made"), ""

    def width(self, modality: str) -> int:
        return self._arrays[modality].shape[-1]

    def subset(self, name: str) -> Subset:
        rows = np.flatnonzero(self._subsets == name)
        samples = [Sample(str(row), str(row), str(self._labels[row]), name) for row in rows]
        return Subset(samples, rows, np.searchsorted(np.unique(self._labels), self._labels[rows]))

    def read(self, rows: np.ndarray, inputs: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {name: self._arrays[name][rows] for name in inputs}

    def valid(self, rows: np.ndarray, inputs: tuple[str, ...]) -> np.ndarray:
        return self._arrays["valid"][rows]


def made(train: int, classes: int = 5, clips: int = 3) -> Arrays:
    """Noise after a ReLU, with a direction for each class and an offset for each video."""
    counts = {"train": train, "val": max(20, train // 4), "test": 1000}
    subsets = np.repeat(list(counts), list(counts.values()))
    labels = np.concatenate([np.arange(count) % classes for count in counts.values()])
    generator = np.random.default_rng(train)
    arrays = {"valid": np.ones((len(labels), clips, 2), bool)}
    for name, shape in (("visual", (256,)), ("audio", (4, 4, 128))):
        directions = generator.normal(0, 0.22, (classes, shape[-1]))
        video = directions[labels] + generator.normal(0, 0.5, (len(labels), shape[-1]))
        centre = video.reshape(len(labels), *[1] * len(shape), shape[-1])
        noise = generator.normal(-0.3, 1, (len(labels), clips, *shape))
        arrays[name] = np.maximum(centre + noise, 0).astype(np.float16)
    return Arrays(arrays, labels, subsets)


def of_folder(folder: Path) -> Arrays:
    """Features of a folder; each batch is read from memory."""
    found = np.load(folder / "features.npz")
    rows = {row["video"]: row for row in csv.DictReader((folder / "manifest.csv").open())}
    known = [rows[video] for video in found["videos"].tolist()]
    arrays = {name: found[name] for name in ("visual", "audio", "valid")}
    labels = np.array([row["label"] for row in known])
    return Arrays(arrays, labels, np.array([row["subset"] for row in known]))


def run(data: Arrays, seed: int, epochs: int, measured: str, **own: object) -> dict:
    """Train once; accuracies in percent."""
    loop.MAY_DROP = own.pop("drop", 0.1)
    count = len(data.subset("train").rows)
    batch = min(32, count // 4) if own.pop("quarter", False) else 32
    training = Training(max_epochs=epochs, batch_size=batch, learning_rate=own.pop("learning_rate"))
    settings = RunSettings(
        "tried", "mafnet", {"hidden": 128} | own, training, seed, data.classes, 1, {}
    )
    with tempfile.TemporaryDirectory() as folder:
        loop.train(settings, data, Path(folder), CPU)
        history = RunFolder(Path(folder)).read_history()
        network = loop.trained_network(RunFolder(Path(folder)), data)
    reader = loop.Reader(data, settings.inputs, CPU, "float32")
    subset, final = data.subset(measured), settings.with_precision("float32")
    kept = [row for row in history if row.best][-1]
    tenth = history[min(9, len(history) - 1)].val_accuracy
    return {
        "measured": 100 * loop._validate(network, reader, subset, final)[1],
        "epoch 10": 100 * tenth, "kept": kept.epoch, "epochs": len(history),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("size", type=int, nargs="?", default=60)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(SETTINGS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    is_made = given.data == "made"
    data = made(given.size) if is_made else of_folder(Path(given.data))
    for name in given.only:
        start = time.monotonic()
        runs = [
            run(data, seed, given.epochs, "test" if is_made else "val", **SETTINGS[name])
            for seed in range(given.seeds)
        ]
        columns = {key: np.array([run[key] for run in runs]) for key in runs[0]}
        shown = "; ".join(f"{key} {value.mean():.1f}" for key, value in columns.items())
        spread = columns["measured"].std(ddof=1) if given.seeds > 1 else 0
        print(f"{name}: {shown}; sd {spread:.1f}; {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
