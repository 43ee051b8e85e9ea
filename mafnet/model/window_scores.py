"""Recordings of any length: the run on a window of T seconds that slides over them."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from mafnet.common.progress import Progress
from mafnet.features.extract import Extractor
from mafnet.features.media_table import merge_media
from mafnet.features.shard_report import Extracted
from mafnet.features.videos import FailedVideo, probe_videos
from mafnet.model.cached_features import FeatureArrays
from mafnet.model.data import INPUTS
from mafnet.model.settings import RunSettings
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media

log = logging.getLogger(__name__)

WINDOWS_AT_ONCE = 16
"""Windows in one batch of the network."""

UNKNOWN_SECONDS = 86_400
"""Seconds that are read at most of a recording that states no duration."""

Second = dict[str, np.ndarray]
"""The features of one second by input; an input is missing where its stream has ended."""


@dataclass(frozen=True)
class Segment:
    """A part of a recording, in seconds, with the mean score of its label, 0 to 1."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True)
class WindowScores:
    """The probabilities in a recording of S seconds. classes: names (C,). scores: (S, C)."""

    video: str
    classes: tuple[str, ...]
    scores: np.ndarray

    def segments(self, high: float = 0.5, low: float = 0.3) -> list[Segment]:
        """The parts where a class has a score of `low` or more, and somewhere `high` or more.

        The two limits (hysteresis) keep a score near one limit from making many short parts.
        """
        found = []
        for label, scores in zip(self.classes, self.scores.T, strict=True):
            edges = np.flatnonzero(np.diff(np.r_[False, scores >= low, False]))
            for start, end in edges.reshape(-1, 2).tolist():
                if (scores[start:end] >= high).any():
                    found.append(Segment(start, end, label, float(scores[start:end].mean())))
        return sorted(found, key=lambda each: (each.start, -each.score))


def window_scores(
    path: str,
    extractors: Mapping[str, Extractor],
    settings: RunSettings,
    policy: VideoSettings,
    hop: int,
    score: Callable[[FeatureArrays, Sequence[str]], tuple[np.ndarray, np.ndarray]],
) -> WindowScores | FailedVideo:
    """The scores of each second of a recording; memory depends on T, not on its length.

    extractors: by modality. score: `Model.scores`. hop: seconds between two windows.
    """
    (media,) = probe_videos([path], 1)
    if media.ok and "audio" in extractors and not media.audio_codec:
        silent = {"audio": [Extracted(media.video, media.sha256)]}
        (media,) = merge_media([media], silent, policy)
    if not media.ok:
        return _failed(media)
    clips = _seconds(media)
    streams = {name: each.stream(media, clips) for name, each in extractors.items()}
    progress = Progress(path, clips, "seconds", log)
    inputs = settings.inputs
    sums: list[np.ndarray] = []
    done = 0
    for batch in _batches(_windows(_by_second(streams, extractors, inputs), settings.clips, hop)):
        windows = [window for _, window in batch]
        data = _arrays(windows, extractors, inputs, settings.clips)
        probabilities, _ = score(data, [path] * len(windows))
        for (start, window), each in zip(batch, probabilities, strict=True):
            sums += [np.zeros(1 + len(each)) for _ in range(start + len(window) - len(sums))]
            for second in range(start, start + len(window)):
                sums[second] += np.r_[1, each]
        progress.advance(steps=min(len(sums), clips) - done)
        done = min(len(sums), clips)
    reports = {name: [each.outcome] for name, each in streams.items()}
    whole = policy.model_copy(update={"clips": clips})
    (media,) = merge_media([media], reports, whole)
    if not media.ok or not sums:
        return _failed(media)
    totals = np.array(sums)
    return WindowScores(path, tuple(settings.classes), totals[:, 1:] / totals[:, :1])


def _seconds(media: Media) -> int:
    """The number of clips to ask the decoder for: at least those of the recording."""
    known = [each for each in (media.duration_seconds, media.end_seconds) if each]
    return math.ceil(max(known)) + 1 if known else UNKNOWN_SECONDS


def _by_second(
    streams: Mapping[str, Iterator[np.ndarray]],
    extractors: Mapping[str, Extractor],
    inputs: Sequence[str],
) -> Iterator[Second]:
    """The features of each second, in the form that the network reads."""
    for clips in zip_longest(*streams.values()):
        present = dict(zip(streams, clips, strict=True))
        second = {}
        for name in inputs:
            modality, layer = INPUTS[name]
            clip, spec = present[modality], extractors[modality].spec
            if clip is not None:
                second[name] = spec.pooled(clip[None])[0] if layer == "pooled" else clip
        yield second


def _windows(
    seconds: Iterator[Second], length: int, hop: int
) -> Iterator[tuple[int, list[Second]]]:
    """Windows with their start; the last one ends with the recording, which may be shorter."""
    window: deque[Second] = deque(maxlen=length)
    count, last = 0, -1
    for count, second in enumerate(seconds, start=1):
        window.append(second)
        if count >= length and (count - length) % hop == 0:
            last = count
            yield count - length, list(window)
    if count and last != count:
        yield max(count - length, 0), list(window)


def _batches(
    windows: Iterator[tuple[int, list[Second]]],
) -> Iterator[list[tuple[int, list[Second]]]]:
    """The windows in batches."""
    batch = []
    for window in windows:
        batch.append(window)
        if len(batch) == WINDOWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _arrays(
    windows: list[list[Second]],
    extractors: Mapping[str, Extractor],
    inputs: Sequence[str],
    clips: int,
) -> FeatureArrays:
    """A batch of windows as the network reads it; what is missing is padding."""
    arrays = {}
    for name in inputs:
        modality, layer = INPUTS[name]
        shape = extractors[modality].spec.feature_shape
        shape = shape[-1:] if layer == "pooled" else shape
        values = np.zeros((len(windows), clips, *shape), np.float16)
        valid = np.zeros((len(windows), clips), bool)
        for row, window in enumerate(windows):
            for column, second in enumerate(window):
                if name in second:
                    values[row, column], valid[row, column] = second[name], True
        arrays[name] = values, valid
    return FeatureArrays(arrays)


def _failed(media: Media) -> FailedVideo:
    return FailedVideo(media.video, str(media.status), media.error or media.status.meaning)
