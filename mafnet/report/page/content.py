"""The content of a page, read from the files of the runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.common.run_command import recorded_command
from mafnet.dataset.config import DEMO
from mafnet.dataset.manifest import Sample, read_manifest
from mafnet.model.metrics import METRICS, Metric, percent
from mafnet.report.page.class_section import ClassEntry, class_entries
from mafnet.report.page.embedded_figures import EmbeddedFigure, read_figures
from mafnet.report.page.frame_strips import read_strips
from mafnet.report.page.media_section import Reason, media_outcomes
from mafnet.report.page.mistake_section import MAX_SCENES, Scene, mean_attention, scenes
from mafnet.report.page.sounds import read_sounds
from mafnet.report.page.study_section import StudySection, study_sections
from mafnet.report.page.used_settings import used_settings
from mafnet.report.page.verdicts import (
    Verdict,
    least_sure_hits,
    most_confident_mistakes,
    verdicts,
    with_sound,
)
from mafnet.report.protocol import RANDOM_NOTES
from mafnet.report.statistics.runs import Run, grouped, read_run
from mafnet.report.video_frames import FrameReader
from mafnet.video.media import read_media

MAX_SAMPLES = 2000
"""Largest number of listed test samples."""

EACH_TENTH = 1000
"""Number of test samples each of which is 0.1 % of an accuracy."""

MAX_NEAR_MISSES = 6
"""Largest number of right but unsure samples that are shown. Mistakes reduce this number."""


@dataclass(frozen=True)
class Sources:
    """The input files of a page.

    runs: folders of the main variant's runs. manifests: by split. root: folder of the videos.
    settings: all settings of the data set, structured as in the config.
    sounds: feature file of the audio and weights of its backbone, if that has classes of its own.
    """

    metrics: Path
    media: Path
    runs: Sequence[Path]
    manifests: Mapping[str, Path]
    root: Path
    settings: Mapping
    studies: Sequence[Path]
    figures: Sequence[Path]
    sounds: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Content:
    """The content of a page.

    metrics: metrics.json. specs: the entries of METRICS that apply. notes: those of
    metrics.json, except on random weights. random: modalities whose backbones have random weights.
    most_frequent: accuracy in percent of always predicting the most frequent label.
    mistakes: their number; worst: some of them, second by second; unsure: correct predictions with
    a low probability. shown: test samples, mistakes first; total: their number. command: the
    command that makes the page.
    """

    metrics: dict
    specs: Mapping[str, Metric]
    top_k: int
    notes: list[str]
    synthetic: bool
    random: list[str]
    most_frequent: float
    classes: list[ClassEntry]
    mistakes: int
    worst: list[Scene]
    unsure: list[Scene]
    shown: list[Verdict]
    total: int
    reasons: list[Reason]
    studies: list[StudySection]
    figures: list[EmbeddedFigure]
    settings: Mapping
    command: str

    @property
    def decimals(self) -> int:
        """Decimals of percentages: two only if one sample is less than 0.1 %."""
        return 2 if self.total > EACH_TENTH else 1

    def decimals_of(self, metric: Metric) -> int:
        """Decimals of a metric as the page shows it."""
        return min(metric.decimals, self.decimals) if metric.unit.symbol == "%" else metric.decimals

    def figures_of(self, section: str) -> list[EmbeddedFigure]:
        """The figures of a section."""
        return [figure for figure in self.figures if figure.section == section]


def page_content(sources: Sources, output: Path, workers: int) -> Content:
    """Read the content of a page; MafnetError if a file does not match the others.

    output: the page. workers: number of decoders that run in parallel.
    """
    metrics = _read_metrics(sources.metrics)
    runs = [read_run(folder) for folder in sources.runs]
    media = read_media(sources.media)
    found = with_sound(verdicts(runs, _samples(sources.manifests)), media)
    mistakes, hits = most_confident_mistakes(found), least_sure_hits(found)
    unsure = hits[: max(0, MAX_NEAR_MISSES - len(mistakes))]
    worst = mistakes[:MAX_SCENES]
    shots = _scenes([*worst, *unsure], runs, sources, workers)
    weights = metrics["provenance"]["weights"]
    studies = study_sections(sources.studies)
    return Content(
        metrics=metrics,
        specs={name: metric for name, metric in METRICS.items() if metrics[name] is not None},
        top_k=runs[0].metrics["top_k"],
        notes=[note for note in metrics.get("notes", []) if note not in RANDOM_NOTES],
        synthetic=metrics["protocol"]["name"] == DEMO,
        random=[name for name, entry in weights.items() if entry["random"]],
        most_frequent=_most_frequent(found),
        classes=class_entries(metrics["per_class"], found),
        mistakes=len(mistakes),
        worst=shots[: len(worst)],
        unsure=shots[len(worst) :],
        shown=[*mistakes, *hits][:MAX_SAMPLES],
        total=len(found),
        reasons=media_outcomes(media),
        studies=studies,
        figures=read_figures(sources.figures),
        settings=used_settings(sources.settings, metrics["variant"], studies),
        command=recorded_command(str(output)),
    )


def _read_metrics(path: Path) -> dict:
    """metrics.json of the data set; MafnetError if a metric is missing."""
    found = read_json(path)
    missing = [name for name in METRICS if name not in found]
    if missing:
        raise MafnetError(f"{path}: has no {', '.join(missing)}; run mafnet metrics again")
    return found


def _samples(manifests: Mapping[str, Path]) -> dict[str, dict[str, Sample]]:
    """The rows of each split's manifest, by sample name."""
    return {
        split: {sample.sample: sample for sample in read_manifest(path)}
        for split, path in manifests.items()
    }


def _scenes(
    chosen: Sequence[Verdict], runs: Sequence[Run], sources: Sources, workers: int
) -> list[Scene]:
    """The chosen samples second by second."""
    attention = {split: mean_attention(group) for split, group in grouped(runs, "split").items()}
    seconds = max(one.weights.shape[1] for one in attention.values())
    reader = FrameReader(sources.root, sources.media)
    videos = [one.video for one in chosen]
    strips = read_strips(videos, reader, seconds, workers)
    heard = read_sounds(videos, *sources.sounds) if sources.sounds else {}
    return scenes(chosen, attention, strips, heard)


def _most_frequent(found: Sequence[Verdict]) -> float:
    """Accuracy in percent of always predicting the most frequent label, mean over splits."""
    splits = grouped(found, "split").values()
    most = [max(Counter(verdict.label for verdict in group).values()) for group in splits]
    shares = [count / len(group) for count, group in zip(most, splits, strict=True)]
    return percent(sum(shares) / len(shares))
