"""The inputs of the figures: evaluated runs and other files of a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_manifest
from mafnet.report.statistics.runs import Run, read_run
from mafnet.report.video_frames import FrameReader, Frames


@dataclass(frozen=True)
class Inputs:
    """The inputs of a figure; `FigureSpec.needs` lists the required ones.

    folders: of evaluated runs. main: the variant that others are compared with.
    splits: the manifest of every split. media: the data set's media table; root: its videos.
    features: the feature files that the runs read. study: a study's table.
    """

    dataset: str
    folders: Sequence[Path]
    main: str = "mafnet"
    splits: Mapping[str, Path] = field(default_factory=dict)
    media: Path | None = None
    root: Path | None = None
    features: Sequence[Path] = ()
    study: Path | None = None

    @cached_property
    def runs(self) -> list[Run]:
        """All runs, in the order given."""
        return [read_run(folder) for folder in self.folders]

    @property
    def shown(self) -> Run:
        """The run in figures of single videos: the lowest seed of the first split."""
        first = [run for run in self.runs if run.split == self.runs[0].split]
        mine = [run for run in first if run.variant == self.main] or first
        return min(mine, key=lambda run: run.seed)

    def frames(self, samples: Sequence[Sample], seconds: int) -> list[Frames]:
        """One frame for each of the first seconds of each sample's video."""
        reader = FrameReader(self.root, self.media)
        return [reader.frames(sample.video, seconds) for sample in samples]

    def tested(self, run: Run) -> list[Sample]:
        """The test samples of a run, in its order; MafnetError if the manifest has none of them."""
        known = self.samples(run.split)
        found = [known[name] for name in run.predictions.samples if name in known]
        if not found:
            raise MafnetError(
                f"{self.splits[run.split]}: has none of the samples of {run.folder.path}; evaluate "
                "the run again"
            )
        return found

    def samples(self, split: str) -> dict[str, Sample]:
        """The samples of a split by name; MafnetError if its manifest was not given."""
        if split not in self.splits:
            raise MafnetError(f"split {split!r} has no manifest; give --split {split} FILE")
        return {sample.sample: sample for sample in read_manifest(self.splits[split])}
