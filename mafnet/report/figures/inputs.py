"""What figures are drawn of: finished runs, and what else there is of a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_manifest
from mafnet.report.frames import FrameReader, Frames
from mafnet.report.statistics.summary import Run, read_run


@dataclass(frozen=True)
class FigureRun:
    """A finished run and the folder that it lies in."""

    folder: Path
    run: Run

    @property
    def split(self) -> str:
        """The split that it was trained and measured on."""
        return self.run.metrics["split"]

    @property
    def variant(self) -> str:
        """The variant that it is a run of."""
        return self.run.metrics["variant"]

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.run.metrics["seed"]


@dataclass(frozen=True)
class Inputs:
    """What a figure may be drawn of; which of it a figure needs says its spec.

    folders: of evaluated runs. main: the variant that others are compared with.
    splits: the manifest of every split. media: the data set's media table; root: its videos.
    features: the feature files that the runs read. classes: the closed list of classes.
    study: a study's table.
    """

    dataset: str
    folders: Sequence[Path]
    main: str = "mafnet"
    splits: Mapping[str, Path] = field(default_factory=dict)
    media: Path | None = None
    root: Path | None = None
    features: Sequence[Path] = ()
    classes: Path | None = None
    study: Path | None = None

    @cached_property
    def runs(self) -> list[FigureRun]:
        """All runs, in the order given."""
        return [FigureRun(folder, read_run(folder)) for folder in self.folders]

    @property
    def shown(self) -> FigureRun:
        """The one run that a figure of single videos shows: lowest seed of the first split."""
        first = [run for run in self.runs if run.split == self.runs[0].split]
        mine = [run for run in first if run.variant == self.main] or first
        return min(mine, key=lambda run: run.seed)

    def frames(self, samples: Sequence[Sample], seconds: int) -> list[Frames]:
        """One frame a second of each sample's video, of the first seconds."""
        reader = FrameReader(self.root, self.media)
        return [reader.frames(sample.video, seconds) for sample in samples]

    def tested(self, run: FigureRun) -> list[Sample]:
        """The test samples of a run, in its order; MafnetError if its manifest has none of them."""
        known = self.samples(run.split)
        names = run.run.predictions["sample"]
        found = [known[name] for name in names if name in known]
        if not found:
            raise MafnetError(
                f"{self.splits[run.split]}: has none of the samples of {run.folder}; evaluate the "
                "run again"
            )
        return found

    def samples(self, split: str) -> dict[str, Sample]:
        """The samples of a split by name; MafnetError if its manifest was not given."""
        if split not in self.splits:
            raise MafnetError(f"split {split!r} has no manifest; give --split {split} FILE")
        return {sample.sample: sample for sample in read_manifest(self.splits[split])}


@dataclass(frozen=True)
class Attention:
    """A run's scores of every test sample.

    samples: names (S,). modalities: names (K,). weights: (S, T, K), sum 1 over T and K.
    valid: (S, T, K), False where a clip is padding.
    """

    samples: list[str]
    modalities: list[str]
    weights: np.ndarray
    valid: np.ndarray

    def of(self, sample: str) -> tuple[np.ndarray, np.ndarray]:
        """Scores and validity (T, K) of one sample."""
        index = self.samples.index(sample)
        return self.weights[index], self.valid[index]


def read_attention(folder: Path) -> Attention:
    """Read a run's attention.npz; MafnetError if it cannot be read."""
    path = folder / "attention.npz"
    try:
        with np.load(path) as found:
            names = found["sample"].tolist(), found["modality"].tolist()
            return Attention(*names, found["attention"], found["valid"])
    except (OSError, ValueError, KeyError) as error:
        raise MafnetError(f"{path}: cannot be read ({error}); evaluate the run again") from error


def read_history(folder: Path) -> pd.DataFrame:
    """Read a run's history.csv: epoch, loss, val_accuracy (0 to 1), best (0 or 1)."""
    path = folder / "history.csv"
    try:
        return pd.read_csv(path)[["epoch", "loss", "val_accuracy", "best"]]
    except (OSError, ValueError, KeyError) as error:
        raise MafnetError(f"{path}: cannot be read ({error}); train the run again") from error
