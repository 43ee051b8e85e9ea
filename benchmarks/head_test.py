"""The test accuracy of variants on features in one file, by mafnet's own training loop.

    python -m benchmarks.head_test FEATURES.npz MANIFEST.csv GROUPS.csv --seeds 3

Networks, options and training are those of config.yaml. Validation chooses the epoch.
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

from benchmarks.markdown import markdown
from mafnet.dataset.manifest import Sample
from mafnet.model.batches import Reader, predict
from mafnet.model.config import ModelSection
from mafnet.model.data import Subset
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import train, trained_network
from mafnet.report.statistics.groups import by_group, grouping
from mafnet.report.statistics.two_way import two_way

CONFIG = Path(__file__).parents[1] / "config.yaml"
CPU = torch.device("cpu")


class Features:
    """What `mafnet.model.data.Data` gives, read from one npz file."""

    def __init__(self, features: Path, manifest: Path, groups: Path) -> None:
        self.manifest = manifest
        rows = pd.read_csv(manifest).merge(pd.read_csv(groups), on="sample")
        with np.load(features) as file:
            places = {Path(name).stem: place for place, name in enumerate(file["videos"])}
            self._inputs = {name: file[name] for name in ("visual", "audio")}
            self._valid = file["valid"]
        rows["place"] = rows["sample"].map(places)
        rows["pair"] = rows.picture_source.fillna("") + " " + rows.sound_source.fillna("")
        self._rows = rows
        self.classes = sorted(rows.label.unique())
        self.digest = "benchmark"

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
        return self._rows[self._rows.subset == name].pair.tolist()


def hits(data: Features, model: ModelSection, variant: str, seed: int) -> np.ndarray:
    """(S,) 1 where a trained run is right on a test sample."""
    chosen = model.variants[variant]
    settings = RunSettings(
        variant, chosen.network, model.options_of(variant),
        model.training_of(variant).model_copy(update={"precision": "bfloat16"}),
        seed, data.classes, 10, {},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        train(settings, data, Path(folder), CPU)
        network, epochs = trained_network(run, data), len(run.read_history())
    reader, test = Reader(data, settings.inputs, CPU, "float32"), data.subset("test")
    found = torch.cat([batch for batch, _ in predict(network, reader, test, 32, "float32")])
    right = (found.argmax(1).numpy() == test.labels).astype(float)
    sys.stderr.write(f"{variant} seed {seed}: {100 * right.mean():.1f} %, {epochs} epochs\n")
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("groups", type=Path, help="CSV with sample, picture_source, sound_source")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--variants", nargs="+", default=["mafnet", "mafnet_plus"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Features(arguments.features, arguments.manifest, arguments.groups)
    values = yaml.safe_load(CONFIG.read_text())["model"]
    values["network"]["hidden"] = arguments.hidden
    model = ModelSection(**values)
    tables = {
        name: np.array([hits(data, model, name, seed) for seed in range(arguments.seeds)])
        for name in arguments.variants
    }
    groups = grouping([data.groups("test")])
    first, rows = tables[arguments.variants[0]], []
    for name, table in tables.items():
        found = two_way([by_group([table - first], groups)])
        low, high = (100 * (found.mean + sign * found.half_width) for sign in (-1, 1))
        means = 100 * table.mean(1)
        gain = "" if table is first else f"{100 * found.mean:+.1f} [{low:+.1f}, {high:+.1f}]"
        rows.append([name, f"{means.mean():.1f} ± {means.std(ddof=1):.1f}", gain])
    sys.stdout.write(markdown(["variant", "test accuracy, %", "difference"], rows) + "\n")


if __name__ == "__main__":
    main()
