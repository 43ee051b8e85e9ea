"""Recordings of any length: the run on a window of T seconds that slides over them."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from mafnet.model.segments import WindowScores
from mafnet.model.settings import RunSettings
from mafnet.video.config import VideoSettings
from mafnet.video.live import LiveSource
from mafnet.video.media import Media

log = logging.getLogger(__name__)

WINDOWS_AT_ONCE = 16
"""Windows in one batch of the network."""

UNKNOWN_SECONDS = 86_400
"""Seconds that are read at most of a recording that states no duration."""

Second = dict[str, np.ndarray]
"""The features of one second by input; an input is missing where its stream has ended."""


@dataclass(frozen=True)
class Sliding:
    """A run on windows of T seconds that move by `hop` seconds.

    extractors: by modality. score: `Model.scores`.
    """

    extractors: Mapping[str, Extractor]
    settings: RunSettings
    hop: int
    score: Callable[[FeatureArrays, Sequence[str]], tuple[np.ndarray, np.ndarray]]

    def recording(self, path: str, policy: VideoSettings) -> WindowScores | FailedVideo:
        """The scores of each second of a recording; memory depends on T, not on its length."""
        (media,) = probe_videos([path], 1)
        if media.ok and "audio" in self.extractors and not media.audio_codec:
            silent = {"audio": [Extracted(media.video, media.sha256)]}
            (media,) = merge_media([media], silent, policy)
        if not media.ok:
            return _failed(media)
        clips = _seconds(media)
        streams = {name: each.stream(media, clips) for name, each in self.extractors.items()}
        progress = Progress(path, clips, "seconds", log)
        scores = []
        for each in self.seconds(streams, path, WINDOWS_AT_ONCE):
            scores.append(each)
            progress.advance(steps=len(scores) <= clips)
        reports = {name: [each.outcome] for name, each in streams.items()}
        whole = policy.model_copy(update={"clips": clips})
        (media,) = merge_media([media], reports, whole)
        if not media.ok or not scores:
            return _failed(media)
        return WindowScores(path, tuple(self.settings.classes), np.array(scores))

    def live(self, name: str, source: LiveSource) -> Iterator[np.ndarray]:
        """The scores (C,) of each second of a live source, once all its windows are read."""
        clips = {each: source.clips(each) for each in self.extractors}
        streams = {each: self.extractors[each].live(name, found) for each, found in clips.items()}
        return self.seconds(streams, name, 1)

    def seconds(
        self, streams: Mapping[str, Iterable[np.ndarray]], name: str, at_once: int
    ) -> Iterator[np.ndarray]:
        """The scores (C,) of each second: the mean over the windows that contain it.

        streams: features of each second, by modality. at_once: windows of a batch.
        """
        length, inputs = self.settings.clips, self.settings.inputs
        second_by_second = _by_second(streams, self.extractors, inputs)
        sums: deque[np.ndarray] = deque()
        first = 0
        for batch in _batches(_windows(second_by_second, length, self.hop), at_once):
            data = _arrays([window for _, window in batch], self.extractors, inputs, length)
            probabilities, _ = self.score(data, [name] * len(batch))
            for (start, window), each in zip(batch, probabilities, strict=True):
                # No later window contains the seconds before this one.
                for _ in range(start - first):
                    yield _mean(sums.popleft())
                first = start
                sums.extend(np.zeros(1 + len(each)) for _ in range(len(window) - len(sums)))
                for total in sums:
                    total += np.r_[1, each]
                log.debug("%s: window at %d s", name, start)
        yield from map(_mean, sums)


def _mean(total: np.ndarray) -> np.ndarray:
    """The mean of a sum (1 + C,), whose first number counts."""
    return total[1:] / total[0]


def _seconds(media: Media) -> int:
    """The number of clips to ask the decoder for: at least those of the recording."""
    known = [each for each in (media.duration_seconds, media.end_seconds) if each]
    return math.ceil(max(known)) + 1 if known else UNKNOWN_SECONDS


def _by_second(
    streams: Mapping[str, Iterable[np.ndarray]],
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
    windows: Iterator[tuple[int, list[Second]]], size: int
) -> Iterator[list[tuple[int, list[Second]]]]:
    """The windows in batches."""
    batch = []
    for window in windows:
        batch.append(window)
        if len(batch) == size:
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
