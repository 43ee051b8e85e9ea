"""The test videos of a run, with its predictions and attention."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_manifest
from mafnet.model.run_folder import Attention
from mafnet.report.explore.shown_videos import (
    Collection,
    Finding,
    Network,
    Scores,
    ShownVideo,
)
from mafnet.report.statistics.runs import Run, read_run
from mafnet.video.media import Media, read_media

TOP = 5
"""Number of the most probable classes that are shown."""


def run_videos(
    folder: Path, root: Path, manifest: Path, media: Path, link_roots: Sequence[Path] = ()
) -> Collection:
    """The test videos of an evaluated run; MafnetError if a file is missing or fits not.

    root: folder of the videos. link_roots: other folders to which links may lead.
    """
    run = read_run(folder)
    samples = {sample.sample: sample for sample in read_manifest(manifest)}
    rows = {row.video: row for row in read_media(media)}
    found = run.predictions
    if unknown := [name for name in found.samples if name not in samples]:
        raise MafnetError(f"{manifest}: has no sample {unknown[0]}, which {folder} was tested on")
    attention = run.folder.read_attention() if run.folder.attention.exists() else None
    scores = _scores(attention) if attention else {}
    videos = {
        name: _shown(samples[name], root, rows, _finding(run, index, scores.get(name, ())))
        for index, name in enumerate(found.samples)
    }
    features = run.settings.features
    random = tuple(name for name in features if features[name]["weights"] == "random")
    modalities = tuple(attention.modalities) if attention else ()
    name = f"{run.variant} seed {run.seed}"
    return Collection(
        folder.resolve().parents[2].name, (Network(name, modalities, random),),
        run.settings.clips, videos, (root, *link_roots),
    )  # fmt: skip


def _shown(sample: Sample, root: Path, rows: Mapping[str, Media], finding: Finding) -> ShownVideo:
    return ShownVideo(
        sample.sample, root / sample.video, sample.label, sample.event, rows.get(sample.video),
        (finding,),
    )  # fmt: skip


def _finding(run: Run, index: int, scores: Scores) -> Finding:
    """The finding for the test sample with this index."""
    found = run.predictions
    probabilities = dict(zip(found.classes, found.probabilities[index].tolist(), strict=True))
    label = found.classes[found.labels[index]]
    return Finding(found.classes[found.predicted[index]], best(probabilities, label), scores)


def best(probabilities: Mapping[str, float], label: str = "") -> tuple[tuple[str, float], ...]:
    """The TOP most probable classes, and the label."""
    ordered = sorted(probabilities.items(), key=lambda item: -item[1])
    return (*ordered[:TOP], *(item for item in ordered[TOP:] if item[0] == label))


def _scores(attention: Attention) -> dict[str, Scores]:
    """The scores (K, T) of each sample; None where a clip is padding."""
    known = np.where(attention.valid, attention.weights.astype(object), None)
    rows = known.transpose(0, 2, 1).tolist()
    return {name: tuple(map(tuple, row)) for name, row in zip(attention.samples, rows, strict=True)}
