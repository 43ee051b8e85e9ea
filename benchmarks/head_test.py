"""The accuracy of variants on features that were extracted elsewhere, by mafnet's training loop.

    python -m benchmarks.head_test FEATURES.npz MANIFEST.csv --groups GROUPS.csv

FEATURES.npz has the videos (N,), `visual` (N, T, C) pooled, `audio` (N, T, P, Q, C) maps, and
`valid` (N, T, 2). MANIFEST.csv is as for mafnet. Networks, options and training are those of
config.yaml. Validation chooses the epoch. Choose settings by the column of validation; look at the
test column once, at the end.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from benchmarks.markdown import markdown, points
from mafnet.dataset.manifest import Sample
from mafnet.model.batches import Reader, predict
from mafnet.model.config import ModelSection
from mafnet.model.data import Subset
from mafnet.model.networks.blocks import Network
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import train, trained_network
from mafnet.report.statistics.groups import by_group, grouping
from mafnet.report.statistics.two_way import two_way

CONFIG = Path(__file__).parents[1] / "config.yaml"
CPU = torch.device("cpu")


class Features:
    """What `mafnet.model.data.Data` gives, read from one npz file."""

    def __init__(self, features: Path, manifest: Path, groups: Path | None) -> None:
        self.manifest = manifest
        rows = pd.read_csv(manifest)
        with np.load(features) as file:
            places = {name: place for place, name in enumerate(file["videos"])}
            self._inputs = {name: file[name] for name in ("visual", "audio")}
            self._valid = file["valid"]
        rows["place"] = rows["video"].map(places)
        rows["group"] = rows["sample"]
        if groups:
            sources = rows.merge(pd.read_csv(groups), on="sample", how="left", validate="1:1")
            rows["group"] = (
                sources.picture_source.fillna("") + " " + sources.sound_source.fillna("")
            )
        self._rows = rows
        self.classes = sorted(rows.label.unique())
        self.digest = "benchmark"

    @property
    def clips(self) -> int:
        return self._valid.shape[1]

    def width(self, modality: str) -> int:
        return self._inputs[modality].shape[-1]

    def read(self, rows: np.ndarray, inputs: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: self._inputs[name][rows] for name in inputs}

    def valid(self, rows: np.ndarray, inputs: Sequence[str]) -> np.ndarray:
        return self._valid[rows][..., [("visual", "audio").index(name) for name in inputs]]

    def subset(self, name: str) -> Subset:
        own = self._rows[self._rows.subset == name]
        samples = [Sample(row.sample, row.video, row.label, name) for row in own.itertuples()]
        labels = own.label.map(self.classes.index).to_numpy()
        return Subset(samples, own.place.to_numpy(), labels)

    def groups(self, name: str) -> list[str]:
        return self._rows[self._rows.subset == name].group.tolist()


def trained(
    data: Features, model: ModelSection, variant: str, seed: int
) -> tuple[float, np.ndarray]:
    """The accuracy of a run on validation, 0 to 1, and (S,) 1 for each test sample that it hits."""
    chosen = model.variants[variant]
    settings = RunSettings(
        variant, chosen.network, model.options_of(variant),
        model.training_of(variant).model_copy(update={"precision": "bfloat16"}),
        seed, data.classes, data.clips, {},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        train(settings, data, Path(folder), CPU)
        network, epochs = trained_network(run, data), len(run.read_history())
    reader = Reader(data, settings.inputs, CPU, "float32")
    validation, test = (right(network, reader, data.subset(name)) for name in ("val", "test"))
    sys.stderr.write(f"{variant} seed {seed}: {100 * test.mean():.1f} %, {epochs} epochs\n")
    return validation.mean(), test


def right(network: Network, reader: Reader, subset: Subset) -> np.ndarray:
    """(S,) 1 where the prediction of a sample is its class, else 0."""
    found = torch.cat([batch for batch, _ in predict(network, reader, subset, 32, "float32")])
    return (found.argmax(1).numpy() == subset.labels).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--groups", type=Path, help="CSV with sample, picture_source, sound_source")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--bn-momentum", type=float, default=0.1)
    parser.add_argument("--variants", nargs="+", default=["mafnet", "mafnet_plus"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Features(arguments.features, arguments.manifest, arguments.groups)
    values = yaml.safe_load(CONFIG.read_text())["model"]
    values["network"] |= {"hidden": arguments.hidden, "bn_momentum": arguments.bn_momentum}
    model = ModelSection(**values)
    groups, first, rows = grouping([data.groups("test")]), None, []
    for name in arguments.variants:
        runs = [trained(data, model, name, seed) for seed in range(arguments.seeds)]
        table = np.array([each for _, each in runs])
        gain = "" if first is None else points(two_way([by_group([table - first], groups)]))
        first = table if first is None else first
        rows.append([name, spread([each for each, _ in runs]), spread(table.mean(1)), gain])
    titles = ["variant", "validation, %", "test, %", "test: difference to the first"]
    sys.stdout.write(markdown(titles, rows) + "\n")


def spread(accuracies: Sequence[float]) -> str:
    """Mean and standard deviation over runs, in percent; one run has no deviation."""
    percent = 100 * np.asarray(accuracies)
    deviation = f" ± {percent.std(ddof=1):.1f}" if len(percent) > 1 else ""
    return f"{percent.mean():.1f}{deviation}"


if __name__ == "__main__":
    main()
