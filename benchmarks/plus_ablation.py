"""What each piece of `mafnet_plus` gains on validation data: every subset of pieces is trained.

    snakemake --cores 2 --configfile benchmarks/hard_demo.yaml -- \\
        results/demo_hard/features/{visual,audio}.h5
    python benchmarks/plus_ablation.py demo_hard --configfile benchmarks/hard_demo.yaml

Run where Snakemake wrote its results. Without any piece the network is `mafnet`. The test subset
is not read. An epoch is chosen by one half of the validation sets and measured on the other, and
the other way round, so that no sample counts where it has chosen. Prints a table with the paired
interval over seeds and samples (mafnet/report/statistics/intervals.py) and writes
DATASET.ablation.json. With `--pad 4` every video has four clips of padding more.
"""

import argparse
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mafnet.model.batches import Reader, predict
from mafnet.model.data import Data, Subset
from mafnet.model.networks.blocks import Features, Network, Output
from mafnet.model.settings import RunSettings, run_settings
from mafnet.model.train import new_network, new_optimiser, step
from mafnet.plan.config import read_config
from mafnet.plan.stages import Plan
from mafnet.report.statistics.intervals import paired_bootstrap

PIECES = ("masks", "logits")
"""No padding in attention and statistics; logits that are not normalised."""

SUBSETS = [(), PIECES, *itertools.combinations(PIECES, 1)]
LINE = "{pieces:16} {accuracy:5.1f} %, above mafnet {above:22} below mafnet_plus {below}"
CPU = torch.device("cpu")


class Seen(nn.Module):
    """A network that is shown more padding, or that takes every clip for valid.

    pad: clips of zeros after each video's own. masks: whether the network knows of padding.
    """

    def __init__(self, network: Network, pad: int, masks: bool) -> None:
        super().__init__()
        self.network = network
        self.visual_path = network.visual_path
        self.pad, self.masks = pad, masks

    def forward(self, features: Features) -> Output:
        """The network's output for what it is shown."""
        shown = Features(*(x if x is None else lengthened(x, self.pad) for x in features))
        return self.network(shown if self.masks else shown._replace(valid=None))


def lengthened(x: Tensor, clips: int) -> Tensor:
    """(B, T, ...) with so many clips of zeros (False) more."""
    return torch.cat((x, x.new_zeros((len(x), clips, *x.shape[2:]))), dim=1)


def build(settings: RunSettings, data: Data, pieces: Iterable[str], pad: int) -> nn.Module:
    """A fresh `mafnet_plus` of which only some pieces are left."""
    settings.options["logits_bn"] = "logits" not in pieces
    network = new_network(settings, data)
    return Seen(network, pad, masks="masks" in pieces)


def right_by_epoch(
    settings: RunSettings, data: Data, pieces: Iterable[str], pad: int
) -> np.ndarray:
    """Train; (E, S) which validation samples were right after each epoch."""
    torch.manual_seed(settings.seed)
    network = build(settings, data, pieces, pad)
    optimiser = new_optimiser(network, settings.training.learning_rate)
    training, validation = data.subset("train"), data.subset("val")
    reader = Reader(data, settings.inputs, CPU, settings.training.precision)
    rows = []
    for _ in range(settings.training.max_epochs):
        network.train()
        for batch in batches(len(training.rows), settings.training.batch_size):
            features, labels = reader.features(training.rows[batch]), training.labels[batch]
            drop = torch.rand(()).item() < settings.training.drop_rate
            labels = torch.from_numpy(labels)
            step(network, optimiser, features, labels, drop, settings.training.precision)
        rows.append(right(network, reader, validation, settings))
    return np.array(rows)


def batches(samples: int, size: int) -> list[np.ndarray]:
    """Whole batches of a new order of the samples."""
    size = min(size, samples)
    return [part.numpy() for part in torch.randperm(samples).split(size) if len(part) == size]


def right(network: nn.Module, reader: Reader, subset: Subset, settings: RunSettings) -> np.ndarray:
    """(S,) True where the network is right."""
    chosen = settings.training
    found = predict(network, reader, subset, chosen.batch_size, chosen.precision)
    return torch.cat([each.argmax(dim=1) for each, _ in found]).numpy() == subset.labels


def cross_fitted(right: np.ndarray, sets: np.ndarray, patience: int) -> np.ndarray:
    """(S,) which samples are right in the epoch that the other half of the sets chooses."""
    result = np.zeros(right.shape[1])
    for half in (0, 1):
        own = sets % 2 == half
        result[own] = right[best_epoch(right[:, ~own].mean(axis=1), patience), own]
    return result


def best_epoch(accuracies: np.ndarray, patience: int) -> int:
    """The epoch that training with early stopping keeps."""
    best = 0
    for epoch, accuracy in enumerate(accuracies):
        if accuracy > accuracies[best] + 1e-4:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


def run_of(plan: Plan, dataset: str, data: Data, seed: int) -> RunSettings:
    """The settings of `mafnet_plus` on the data set, at float32."""
    about = {"seed": seed, "classes": data.classes, "clips": data.clips, "features": {}}
    settings = run_settings(json.loads(plan.training(dataset, "mafnet_plus")) | about)
    return settings.with_precision("float32")


def measure(runs: Iterable[RunSettings], data: Data, pieces: Iterable[str], pad: int) -> np.ndarray:
    """(R, S) which validation samples each run gets right."""
    names = [sample.sample for sample in data.subset("val").samples]
    of_set = [name.rpartition("_")[2] for name in names]  # a set of the demo holds each class once
    sets = np.unique(of_set, return_inverse=True)[1]
    return np.array(
        [
            cross_fitted(right_by_epoch(run, data, pieces, pad), sets, run.training.patience)
            for run in runs
        ]
    )


def main() -> None:
    """Print and write the table."""
    arguments = parsed()
    torch.set_num_threads(1)
    plan, dataset = Plan(read_config(arguments.configfile)), arguments.dataset
    files = [Path(f"results/{dataset}/features/{name}.h5") for name in ("visual", "audio")]
    data = Data(Path(plan.manifests(dataset)[0]), files, None)
    runs = [run_of(plan, dataset, data, seed) for seed in range(arguments.seeds)]
    found = {pieces: measure(runs, data, pieces, arguments.pad) for pieces in SUBSETS}
    rows = [row(pieces, found) for pieces in SUBSETS]
    for each in rows:
        print(LINE.format(**each))
    Path(f"{dataset}.ablation.json").write_text(json.dumps(rows, indent=2) + "\n")


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("--configfile", type=Path, action="append", default=[])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pad", type=int, default=0)
    return parser.parse_args()


def row(pieces: tuple[str, ...], found: dict[tuple[str, ...], np.ndarray]) -> dict:
    """One line of the table, in percent: how far above MAFnet and below all pieces."""
    right = found[pieces]
    above, below = right - found[()], found[PIECES] - right
    return {
        "pieces": " + ".join(pieces) or "none (mafnet)",
        "accuracy": 100 * right.mean(),
        "above": points(above),
        "below": points(below),
        "seeds": len(right),
        "samples": right.shape[1],
    }


def points(differences: np.ndarray) -> str:
    """The mean of (R, S) differences in points with its interval."""
    interval = paired_bootstrap([differences])
    return f"{100 * differences.mean():+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"


if __name__ == "__main__":
    main()
