"""Extraction: parallel decoding, batches across videos, one cache entry a video."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache as once
from functools import partial
from pathlib import Path

import numpy as np

from mafnet.common.config import parse
from mafnet.common.errors import MachineError, MafnetError
from mafnet.common.files import require_unchanged, sha256_of
from mafnet.common.progress import Progress
from mafnet.features.backbones import Backbone, backbone_spec
from mafnet.features.cache import Entry, FeatureCache
from mafnet.features.decode_pool import Clip, End, decode_in_parallel
from mafnet.features.fingerprint import fingerprint_of, parse_features
from mafnet.features.parallel import in_parallel
from mafnet.features.shard_report import Extracted
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.status import Status
from mafnet.video.windows import windows

log = logging.getLogger(__name__)

DECODE_SECONDS = 10.0
"""Time that a decoder may take for one clip of a video of any length."""


@dataclass
class _Pending:
    """A video whose clips are not all computed yet."""

    features: list[np.ndarray] = field(default_factory=list)
    waiting: int = 0
    end: End | None = None


class Extractor:
    """Extracts one modality of many videos into the cache.

    build: creates the backbone; called once, and only if a video must be extracted.
    """

    def __init__(
        self,
        cache: FeatureCache,
        root: Path,
        video: VideoSettings,
        build: Callable[[], Backbone],
        workers: int,
    ) -> None:
        self.cache = cache
        self.root = root
        self.video = video
        self.spec = backbone_spec(cache.fingerprint.backbone)
        self.workers = workers
        self._build = build

    def extract(self, media: Sequence[Media]) -> list[Extracted]:
        """Extract the usable videos that are not in the cache; returns one row a video, sorted.

        Several files with equal bytes are extracted once. Interrupted videos are tried twice;
        MafnetError names them, after the other videos are in the cache.
        """
        usable = sorted((row for row in media if row.ok), key=lambda row: row.video)
        done = {row.video: found for row in usable if (found := self._cached(row))}
        todo = [row for row in usable if row.video not in done]
        log.info("%s: %d videos in the cache, %d to extract", self.name, len(done), len(todo))
        if todo:
            self.cache.sweep()
            by_bytes = {row.sha256: row for row in reversed(todo)}
            found = {row.sha256: row for row in self._run(list(by_bytes.values()))}
            if again := _interrupted(found.values()):
                log.warning("%s: trying %d videos again", self.name, len(again))
                found |= {row.sha256: row for row in self._run([by_bytes[r.sha256] for r in again])}
            _require_none(_interrupted(found.values()))
            done |= {row.video: replace(found[row.sha256], video=row.video) for row in todo}
        return [done[row.video] for row in usable]

    def stream(self, media: Media, clips: int) -> "FeatureStream":
        """The features of a video of any length, up to `clips` clips; the cache has no part."""
        # The usual limit of the decoder is for T clips.
        limit = self.video.timeout_seconds + DECODE_SECONDS * clips
        video = self.video.model_copy(update={"clips": clips, "timeout_seconds": limit})
        decoded = decode_in_parallel([media], self.root, self.name, video, 1)
        return FeatureStream(self._build(), media, decoded, self.workers)

    def live(self, name: str, clips: Iterable[np.ndarray]) -> "FeatureStream":
        """The features of clips as they arrive; `name` is that of their source."""
        around = windows(clips, self.video) if self.name == "audio" else clips
        return FeatureStream(self._build(), Media(name), _events(around), self.workers)

    @property
    def name(self) -> str:
        """The modality, for messages."""
        return self.cache.fingerprint.modality

    def _cached(self, media: Media) -> Extracted | None:
        """Row of a video whose features are in the cache, else None."""
        header = self.cache.header(media.sha256)
        if header is None or header.lost_frames is None:
            return None
        if header.repairs != media.repairs(self.name):
            return None
        messages = (header.warnings, header.error, header.error_lines, header.lost_frames)
        return Extracted(media.video, media.sha256, header.clips, Status.OK, *messages)

    def _run(self, todo: Sequence[Media]) -> Iterator[Extracted]:
        """Decode and extract; write each video when its last clip is computed."""
        backbone = self._build()
        pending: dict[int, _Pending] = {}
        progress = Progress(f"extract {self.name}", len(todo), "videos", log)
        decoded = decode_in_parallel(todo, self.root, self.name, self.video, self.workers)
        with closing(decoded) as events:
            batches = _batches(events, backbone.batch, pending)
            computed = in_parallel(partial(_features, backbone), batches, backbone, self.workers)
            for batch, features in computed:
                _hand_out(batch, features, pending)
                for index in _finished(pending):
                    yield self._finish(todo[index], pending.pop(index))
                    progress.advance()

    def _finish(self, media: Media, video: _Pending) -> Extracted:
        """Write a finished video to the cache, or report its failure."""
        end = video.end
        messages = (end.warnings, end.error, end.error_lines, end.lost_frames)
        if end.status != Status.OK:
            log.warning("%s: %s: %s %s", self.name, media.video, end.status, end.error)
            return Extracted(media.video, media.sha256, 0, end.status, *messages)
        clips = np.array(video.features, np.float16).reshape(-1, *self.spec.feature_shape)
        if not np.isfinite(clips).all():
            raise MafnetError(
                f"{media.video}: its {self.name} features are not finite; check the weights, or "
                "use precision float32"
            )
        self.cache.write(media.sha256, Entry(clips, *messages, media.repairs(self.name)))
        return Extracted(media.video, media.sha256, len(clips), Status.OK, *messages)


class FeatureStream:
    """Iterates once over the clips of one video, (P, Q, C) float16 each, in bounded memory.

    After that, `outcome` is the row of the video, as `Extractor.extract` gives it.
    """

    outcome: Extracted

    def __init__(
        self, backbone: Backbone, media: Media, decoded: Iterator[Clip | End], workers: int
    ) -> None:
        self._backbone, self._media, self._workers = backbone, media, workers
        self._decoded = decoded

    def __iter__(self) -> Iterator[np.ndarray]:
        pending: dict[int, _Pending] = {}
        count = 0
        batches = _batches(self._decoded, self._backbone.batch, pending)
        compute = partial(_features, self._backbone)
        with closing(self._decoded):
            for _, features in in_parallel(compute, batches, self._backbone, self._workers):
                count += len(features)
                yield from np.asarray(features, np.float16)
        end, media = pending[0].end, self._media
        messages = (end.warnings, end.error, end.error_lines, end.lost_frames)
        self.outcome = Extracted(media.video, media.sha256, count, end.status, *messages)


def _events(clips: Iterable[np.ndarray]) -> Iterator[Clip | End]:
    """The events of one video without faults."""
    for clip in clips:
        yield Clip(0, clip)
    yield End(0)


def _interrupted(rows: Iterable[Extracted]) -> list[Extracted]:
    return [row for row in rows if row.status == Status.INTERRUPTED]


def _require_none(interrupted: Sequence[Extracted]) -> None:
    """MachineError if a video was interrupted twice: it is no row, so that it is tried again."""
    if interrupted:
        first = interrupted[0]
        raise MachineError(
            f"{first.video}: decoding was interrupted twice ({first.error}); check the disk and "
            f"the limits of the machine, and run the same command again; it tries the "
            f"{len(interrupted)} interrupted videos, the others are kept"
        )


def extractor(
    root: Path, weights: Path, cache: Path, settings: dict, threads: int, device: str
) -> Extractor:
    """An extractor of one modality.

    settings: {"video": {...}, "features": {...}}, as in the config, for one modality.
    The backbone is built, and its library imported, when the first video must be extracted.
    """
    features = parse_features(settings["features"], "--settings features")
    video = parse(VideoSettings, settings["video"], "--settings video")
    fingerprint = fingerprint_of(features, video, require_unchanged(weights) or sha256_of(weights))

    @once
    def make() -> Backbone:
        from mafnet.features.backends import build_backbone

        return build_backbone(features, weights, device, threads)

    return Extractor(FeatureCache(cache, fingerprint), root, video, make, workers=threads)


def _features(backbone: Backbone, batch: list[Clip]) -> np.ndarray | tuple:
    """Features of a batch; nothing for an empty batch."""
    return backbone(np.stack([clip.data for clip in batch])) if batch else ()


def _hand_out(
    batch: list[Clip], features: Iterable[np.ndarray], pending: dict[int, _Pending]
) -> None:
    """Append the features of a batch to their videos, in the order of the clips."""
    for clip, values in zip(batch, features, strict=True):
        pending[clip.video].features.append(values)
        pending[clip.video].waiting -= 1


def _batches(
    events: Iterable[Clip | End], size: int, pending: dict[int, _Pending]
) -> Iterator[list[Clip]]:
    """Batches of clips across videos; an empty batch when a video ends and no clip waits."""
    batch: list[Clip] = []
    for event in events:
        video = pending.setdefault(event.video, _Pending())
        if isinstance(event, End):
            video.end = event
            if not video.waiting:
                yield []
            continue
        video.waiting += 1
        batch.append(event)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def _finished(pending: dict[int, _Pending]) -> list[int]:
    """Videos whose clips are all computed."""
    return [index for index, video in pending.items() if video.end and not video.waiting]
