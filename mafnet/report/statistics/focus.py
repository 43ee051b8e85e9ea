"""The share of the attention on the seconds of the event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mafnet.dataset.manifest import Sample
from mafnet.model.metrics import percent
from mafnet.report.statistics.groups import grouping, resamples
from mafnet.report.statistics.intervals import Interval
from mafnet.report.statistics.runs import Run, grouped

INTERVAL_METHOD = "percentile bootstrap over groups of test samples, of the distance to chance"


@dataclass(frozen=True)
class Focus:
    """The attention of one run on S samples whose event fills a part of the video.

    split, seed: of the run. modalities: names (K,).
    inside: (S, K + 1) share of the attention on the event: of each modality, then of all.
    chance: (S,) share of the T seconds that the event fills; uniform attention has this share.
    groups: (S,) name of each sample's group.
    shares: (S, K) share of each modality in all attention.
    """

    split: str
    seed: int
    modalities: list[str]
    inside: np.ndarray
    chance: np.ndarray
    shares: np.ndarray
    groups: list[str]


def focus_of(run: Run, samples: Mapping[str, Sample]) -> Focus:
    """The focus of a run; samples: of its split, by name."""
    attention = run.folder.read_attention()
    clips = attention.weights.shape[1]
    covers = {
        index: covered(samples[name], clips) for index, name in enumerate(attention.samples)
        if name in samples and samples[name].event
    }  # fmt: skip
    rows = [index for index, cover in covers.items() if 0 < cover.mean() < 1]
    parts = np.array([covers[index] for index in rows]).reshape(-1, clips)  # (S, T)
    weights = attention.weights[rows].astype(float)  # (S, T, K)
    chance, shares = parts.mean(axis=1), weights.sum(axis=1)
    on_event = (weights * parts[..., None]).sum(axis=1)  # (S, K)
    # A modality without attention counts as chance.
    own = np.where(shares > 0, on_event / np.maximum(shares, 1e-30), chance[:, None])
    inside = np.concatenate((own, on_event.sum(axis=1, keepdims=True)), axis=1)
    groups = [samples[attention.samples[row]].cluster for row in rows]
    return Focus(run.split, run.seed, attention.modalities, inside, chance, shares, groups)


def covered(sample: Sample, clips: int) -> np.ndarray:
    """(T,) share of each second [t, t + 1) that the sample's event fills."""
    start, end = sample.event
    seconds = np.arange(clips)
    return np.clip(np.minimum(end, seconds + 1) - np.maximum(start, seconds), 0, 1)


def by_split(found: Sequence[Focus]) -> dict[str, list[Focus]]:
    """The runs of each split that has samples with a usable event."""
    return grouped((focus for focus in found if len(focus.chance)), "split")


def focus_mean(found: Sequence[Focus], column: int) -> tuple[float, Interval]:
    """Mean of a column of `inside` in percent with its interval; splits have equal weights.

    The interval is for the distance to chance, shifted by the mean chance. The length of the events
    in a resample changes the share and chance equally, so it does not widen the interval.
    """
    splits = by_split(found).values()
    groups = grouping([runs[0].groups for runs in splits])
    counts = resamples([np.zeros(len(own), int) for own in groups], groups)
    chances, gains, draws = [], [], []
    for runs, drawn in zip(splits, counts, strict=True):
        inside = np.mean([focus.inside[:, column] for focus in runs], axis=0)  # (S,), over seeds
        gain = inside - runs[0].chance
        chances.append(runs[0].chance.mean())
        gains.append(gain.mean())
        draws.append(drawn @ gain / drawn.sum(axis=1))
    chance = np.mean(chances)
    low, high = chance + np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    interval = Interval(percent(low), percent(high), INTERVAL_METHOD)
    return percent(chance + np.mean(gains)), interval
