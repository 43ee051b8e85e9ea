"""The studies of config.yaml on features that were extracted elsewhere, by mafnet's own training.

    python -m benchmarks.feature_studies FEATURES.npz MANIFEST.csv --groups GROUPS.csv --runs FOLDER

FEATURES.npz has the videos (N,), `visual` (N, T, C) pooled, `audio` (N, T, P, Q, C) maps, and
`valid` (N, T, 2). MANIFEST.csv is as for mafnet. Networks, options and training are those of
config.yaml. Validation chooses the epoch. Choose settings by the column of validation; look at the
test column once, at the end. Variants that read visual maps and video networks are left out. A
finished run stays in FOLDER, so other studies with the same files and settings do not repeat it.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from benchmarks.markdown import markdown, points
from mafnet.common.files import digest_of
from mafnet.dataset.manifest import Sample
from mafnet.model.batches import Reader, predict
from mafnet.model.config import ModelSection
from mafnet.model.data import Subset
from mafnet.model.networks import network_spec
from mafnet.model.networks.blocks import Network
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import train, trained_network
from mafnet.model.video import VIDEO_NETWORKS
from mafnet.report.statistics.groups import by_group, grouping
from mafnet.report.statistics.paired import holm
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
        files = [features, manifest]
        self.digest = digest_of([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])

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


class Runs:
    """Trained runs in a folder."""

    def __init__(self, data: Features, model: ModelSection, folder: Path) -> None:
        self.data, self.model, self.folder = data, model, folder

    def inputs(self, variant: str) -> tuple[str, ...]:
        """The features that a variant reads; none for a video network."""
        network = self.model.variants[variant].network
        if network in VIDEO_NETWORKS:
            return ()
        return network_spec(network).inputs(self.model.options_of(variant))

    def can_run(self, variant: str) -> bool:
        """True if the variant reads nothing but what the file of features has."""
        return set(self.inputs(variant)) in ({"visual"}, {"audio"}, {"visual", "audio"})

    def hits(self, variant: str, seed: int) -> tuple[float, np.ndarray]:
        """The accuracy on validation, 0 to 1, and (S,) 1 for each test sample that is right."""
        folder = self._folder(variant, seed)
        kept = folder / "hits.npz"
        if not kept.exists():
            validation, test = self._train(variant, seed, folder)
            np.savez(kept, validation=validation, test=test)
            sys.stderr.write(f"{variant} seed {seed}: validation {100 * validation.mean():.1f} %\n")
        with np.load(kept) as file:
            return file["validation"].mean(), file["test"]

    def _settings(self, variant: str, seed: int) -> RunSettings:
        training = self.model.training_of(variant).model_copy(update={"precision": "bfloat16"})
        return RunSettings(
            variant, self.model.variants[variant].network, self.model.options_of(variant),
            training, seed, self.data.classes, self.data.clips, {},
        )  # fmt: skip

    def _folder(self, variant: str, seed: int) -> Path:
        """The folder of a run; another one if its files, settings or network change."""
        settings = self._settings(variant, seed)
        version = network_spec(settings.network).training_version
        key = digest_of([settings.as_dict(), version, self.data.digest])
        return self.folder / variant / f"seed{seed}-{key[:12]}"

    def _train(self, variant: str, seed: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
        members = self.model.members_of(variant)
        for member in members:
            self.hits(member, seed)
        runs = [RunFolder(self._folder(member, seed)) for member in members]
        settings = self._settings(variant, seed)
        train(settings, self.data, folder, CPU, members=runs)
        network = trained_network(RunFolder(folder), self.data)
        reader = Reader(self.data, settings.inputs, CPU, "float32")
        return tuple(right(network, reader, self.data.subset(name)) for name in ("val", "test"))


def right(network: Network, reader: Reader, subset: Subset) -> np.ndarray:
    """(S,) 1 where the prediction of a sample is its class, else 0."""
    found = torch.cat([batch for batch, _ in predict(network, reader, subset, 32, "float32")])
    return (found.argmax(1).numpy() == subset.labels).astype(float)


def rows(study: str, variants: Sequence[str], main: str, runs: Runs, seeds: int) -> list[list[str]]:
    """A row for each variant: accuracies, and the difference to the main variant on test.

    A difference is bold if it remains after Holm's correction for the rows of the study.
    """
    groups = grouping([runs.data.groups("test")])
    found = {
        name: [runs.hits(name, seed) for seed in range(seeds)]
        for name in variants
        if runs.can_run(name)
    }
    tables = {name: np.array([test for _, test in each]) for name, each in found.items()}
    others = [name for name in found if name != main]
    pairs = [two_way([by_group([tables[name] - tables[main]], groups)]) for name in others]
    gains = {
        name: f"**{points(pair)}**" if adjusted < 0.05 else points(pair)
        for name, pair, adjusted in zip(
            others, pairs, holm([pair.p_value for pair in pairs]), strict=True
        )
    }
    return [
        [study, f"`{name}`", spread([value for value, _ in each]), spread(tables[name].mean(1)),
         gains.get(name, "")]
        for name, each in found.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--groups", type=Path, help="CSV with sample, picture_source, sound_source")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the finished runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--studies", nargs="+", default=["baselines"])
    parser.add_argument("--only", nargs="+", help="variants, instead of all of a study")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Features(arguments.features, arguments.manifest, arguments.groups)
    config = yaml.safe_load(CONFIG.read_text())
    config["model"]["network"]["hidden"] = arguments.hidden
    model = ModelSection(**config["model"])
    runs, shown = Runs(data, model, arguments.runs), []
    for study in arguments.studies:
        variants = config["report"]["studies"][study]
        named = {model.main, *(arguments.only or variants)}  # all are compared with the main one
        chosen = [name for name in variants if name in named]
        shown += rows(study, chosen, model.main, runs, arguments.seeds)
    titles = ["study", "variant", "validation, %", "test, %", f"test: difference to `{model.main}`"]
    sys.stdout.write(markdown(titles, shown) + "\n")


def spread(accuracies: Sequence[float]) -> str:
    """Mean and standard deviation over runs, in percent; one run has no deviation."""
    percent = 100 * np.asarray(accuracies)
    deviation = f" ± {percent.std(ddof=1):.1f}" if len(percent) > 1 else ""
    return f"{percent.mean():.1f}{deviation}"


if __name__ == "__main__":
    main()
