"""Results for pages: files in the real format with random predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from support.made_features import write_maps
from support.made_runs import MODALITIES, PAPER, write_run
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone

from mafnet.common.files import write_json
from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.report.dataset_metrics import dataset_metrics
from mafnet.report.page.content import Sources
from mafnet.report.partial_study import partial_path
from mafnet.report.protocol import read_protocol
from mafnet.report.statistics.runs import read_run
from mafnet.report.study_table import study_table, write_study
from mafnet.video.media import Media, write_media
from mafnet.video.probe import probe

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="120">'
    '<rect width="300" height="120" fill="#fff"/><text x="9" y="60">{}</text></svg>'
)


@dataclass
class Results:
    """The results of one data set. Sample s{n} has class n modulo the number of classes.

    clips: T.
    videos: video of a sample by its number; default: v{n}.mp4.
    """

    folder: Path
    classes: Sequence[str]
    samples: int
    dataset: str = "made"
    split: str = "main"
    clips: int = 3
    weights: str = "random"
    videos: dict[int, str] = field(default_factory=dict)
    runs: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The folder of the data set's results."""
        return self.folder / "results" / self.dataset

    @property
    def labels(self) -> np.ndarray:
        """(S,) class indices of the samples."""
        return np.arange(self.samples) % len(self.classes)

    def video(self, number: int) -> str:
        """The video of a sample, as a path relative to the root."""
        return self.videos.get(number, f"v{number}.mp4")

    def run(
        self, variant: str, seed: int, predicted: np.ndarray, confidence: float = 0.8, **given
    ) -> Path:
        """Write a run with the given predictions (S,), each with the probability `confidence`.

        given: further arguments of `write_run`.
        """
        count = len(self.classes)
        probabilities = np.full((self.samples, count), (1 - confidence) / (count - 1))
        probabilities[np.arange(self.samples), predicted] = confidence
        samples = [self._sample(number) for number in range(self.samples)]
        folder = write_run(
            self.home, samples, self.classes, probabilities, seed=seed, variant=variant,
            split=self.split, clips=self.clips, weights=dict.fromkeys(MODALITIES, self.weights),
            **given,
        )  # fmt: skip
        self.runs.setdefault(variant, []).append(folder)
        return folder

    def make_videos(self, numbers: Sequence[int], size: str = "96x64") -> None:
        """Make real video files for some samples."""
        for number in numbers:
            path = self.folder / "videos" / self.video(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            video, audio = counting_frames(self.clips, 10, size), tone(self.clips)
            ffmpeg(*video, *audio, *H264, *AAC, path)

    def sources(
        self, main: str, studies: Sequence[Path] = (), figures: Sequence[Path] = (), protocol="own"
    ) -> Sources:
        """The inputs of a page of the main variant; writes manifest, media table and metrics."""
        manifest, media = self.folder / f"{self.split}.csv", self.home / "media.tsv"
        write_manifest([self._sample(number) for number in range(self.samples)], manifest)
        rows = [self._media(number) for number in range(self.samples)]
        write_media({row.video: row for row in [*self.failed, *rows]}.values(), media)
        metrics = dataset_metrics(
            self.dataset, self.runs[main], media, PAPER, read_protocol(protocol, []), "0" * 64
        )
        write_json(metrics, self.home / "metrics.json")
        settings = {"video": {"clips": self.clips}, "model": {"main": main, "seeds": [0, 1]}}
        return Sources(
            self.home / "metrics.json", media, self.runs[main], {self.split: manifest},
            self.folder / "videos", settings, studies, figures,
        )  # fmt: skip

    failed: list[Media] = field(default_factory=list)
    """Rows of the media table for videos that cannot be used."""

    def _sample(self, number: int) -> Sample:
        label = self.classes[self.labels[number]]
        return Sample(f"s{number}", self.video(number), label, "test", event=(1.0, 2.5))

    def _media(self, number: int) -> Media:
        path = self.folder / "videos" / self.video(number)
        return probe(path, self.video(number)) if path.exists() else Media(self.video(number))

    def study(
        self,
        name: str,
        variants: Sequence[str],
        main: str,
        missing: Mapping[str, str] | None = None,
    ) -> Path:
        """Write the study of some variants.

        missing: failed variants with their messages; the study is then a partial one.
        """
        runs = {variant: [read_run(path) for path in self.runs[variant]] for variant in variants}
        path = self.home / "studies" / f"{name}.csv"
        own = read_protocol("own", [])
        table = study_table(self.dataset, runs, PAPER, own, main, missing=missing or {})
        write_study(table, partial_path(path) if missing else path)
        return path

    def figure(self, name: str, text: str = "") -> Path:
        """Write a small figure."""
        path = self.home / "figures" / f"{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SVG.format(text or name))
        return path


def predictions_with_errors(
    labels: np.ndarray, classes: int, seed: int, wrong: float
) -> np.ndarray:
    """Predictions (S,) of which the fraction `wrong` is wrong."""
    generator = np.random.default_rng(seed)
    other = (labels + generator.integers(1, classes, len(labels))) % classes
    return np.where(generator.random(len(labels)) < wrong, other, labels)


def write_sounds(made: Results) -> tuple[Path, Path]:
    """Features and weights of a YAMNet that hears silence, and a bark after the first second.

    The bark has a score of 95 %, the silence 62 %.
    """
    clips = np.zeros((made.samples, made.clips, 3, 2, 1024), np.float16)
    clips[:, 1:, ..., 0] = 1
    videos = sorted(made.video(number) for number in range(made.samples))
    features = write_maps(made.folder, "yamnet", videos, clips)
    weight, bias = torch.zeros(521, 1024), torch.full((521,), -9.0)
    weight[70, 0], bias[494] = 12, 0.5
    weights = made.folder / "yamnet.safetensors"
    save_file({"classifier.weight": weight, "classifier.bias": bias}, weights)
    return features, weights
