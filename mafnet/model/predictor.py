"""Predictions of a trained run for any videos, by the code that extracts and evaluates."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import fspath
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mafnet.common.cores import usable_cores
from mafnet.common.devices import choose_device
from mafnet.common.errors import MafnetError
from mafnet.common.progress import Progress
from mafnet.dataset.manifest import Sample
from mafnet.features.extract import Extractor, extractor
from mafnet.features.videos import FailedVideo, extract_videos, settings_of
from mafnet.model.batches import Reader, predict
from mafnet.model.cached_features import FeatureArrays, cached_features
from mafnet.model.calibration import calibrated
from mafnet.model.data import Subset
from mafnet.model.mixed_precision import resolve
from mafnet.model.model_source import model_source, places, weights_of
from mafnet.model.predictions import as_written
from mafnet.model.segments import WindowScores
from mafnet.model.video_prediction import VideoPrediction
from mafnet.model.window_scores import Sliding
from mafnet.video.config import VideoSettings
from mafnet.video.live import LiveSource
from mafnet.video.media import Media

log = logging.getLogger(__name__)

VIDEOS_AT_ONCE = 16
"""Videos whose features are in memory together, so that memory does not grow with their number."""


class Model:
    """A trained run that predicts the classes of videos; `mafnet.load` makes it.

    settings: those of the run. random_weights: modalities whose backbone is not trained.
    calibration: of the run; the probabilities have its temperature.
    """

    def __init__(
        self,
        run: str | Path,
        weights: str | Path | None = None,
        cache: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
        silent: str = "zero",
    ) -> None:
        self._source = model_source(Path(run))
        self.settings, self.calibration = self._source.settings, self._source.calibration
        features = self.settings.features
        self.random_weights = [name for name in features if features[name]["weights"] == "random"]
        project, _ = places(Path(run))
        files = dict.fromkeys(features)
        if not self._source.is_whole:
            files = weights_of(Path(run), self.settings, weights)
        self._policy = VideoSettings(clips=self.settings.clips, silent=silent)
        self._threads = threads or usable_cores()
        # Both backbones and the network use one device, so only one is claimed.
        self._device = choose_device(device, self._threads, shared=False)
        self._temporary: TemporaryDirectory | None = None
        kept = self._cache(cache, project)
        self._extractors = {
            name: self._extractor(name, path, kept) for name, path in sorted(files.items())
        }
        network = self._source.network(self._features([]), self._threads)
        self._network = network.to(self._device)
        self._precision = resolve(self.settings.training.precision, self._device)

    @property
    def about(self) -> dict:
        """What a reader of the probabilities needs to know, as plain JSON values."""
        temperature, note = self.calibration
        return {
            "random_weights": self.random_weights,
            "calibrated": not note,
            "temperature": temperature,
        }

    @property
    def notes(self) -> list[str]:
        """The same as sentences."""
        temperature, note = self.calibration
        notes = [f"The probabilities are calibrated (temperature {temperature:g})."]
        if note:
            notes = [f"The probabilities are not calibrated: {note}."]
        if self.random_weights:
            names = " and ".join(self.random_weights)
            notes.append(f"Random weights ({names}): this only shows that the software works.")
        return notes

    def predict(self, path: str | Path) -> VideoPrediction:
        """The prediction for one video; MafnetError if it cannot be used."""
        (found,) = self.predict_many([path])
        if isinstance(found, FailedVideo):
            raise MafnetError(f"{found.video}: {found.status}: {found.error}")
        return found

    def predict_many(self, paths: Iterable[str | Path]) -> Iterator[VideoPrediction | FailedVideo]:
        """The predictions for videos, in order; a file that cannot be used is a FailedVideo."""
        names = list(dict.fromkeys(map(fspath, paths)))
        progress = Progress("predict", len(names), "videos", log)
        for start in range(0, len(names), VIDEOS_AT_ONCE):
            part = names[start : start + VIDEOS_AT_ONCE]
            each = self._extractors.values()
            media, failed = extract_videos(part, each, self._policy, self._threads)
            found = self._predicted(media) | {row.video: row for row in failed}
            yield from (found[name] for name in part)
            progress.advance(steps=len(part))

    def windows(self, path: str | Path, hop: int = 1) -> WindowScores | FailedVideo:
        """The probabilities in each second of a recording of any length.

        A window of T seconds moves by `hop` seconds. The score of a second is the mean over the
        windows that contain it. Memory depends on T, not on the length. The cache has no part.
        """
        return self._sliding(hop).recording(fspath(path), self._policy)

    @contextmanager
    def live(self, source: str, hop: int = 1) -> Iterator[tuple[LiveSource, Iterator[np.ndarray]]]:
        """A context with a live source and the probabilities (C,) of each second, as they come.

        source: "pipe:0" for standard input, or a named pipe. `LiveSource.stop` ends it. A second
        comes when the windows that contain it are read, about T seconds later. MafnetError where
        the source cannot be decoded, which is known only when it is read.
        """
        sliding = self._sliding(hop)
        settings = {name: each.video for name, each in self._extractors.items()}
        with LiveSource(source, settings) as opened:
            yield opened, sliding.live(source, opened)

    def _sliding(self, hop: int) -> Sliding:
        if not 1 <= hop <= self.settings.clips:
            raise MafnetError(f"hop {hop}: must be from 1 to T, {self.settings.clips} seconds")
        return Sliding(self._extractors, self.settings, hop, self.scores)

    def scores(self, data: FeatureArrays, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated probabilities (B, C) and attention (B, T, K) of features.

        names: (B,), for messages.
        """
        rows = np.arange(len(names))
        # The label and the subset are not used.
        samples = [Sample(name, name, self.settings.classes[0], "test") for name in names]
        reader = Reader(data, self.settings.inputs, self._device, self._precision)
        subset = Subset(samples, rows, np.zeros_like(rows))
        batches = predict(self._network, reader, subset, len(names), self._precision)
        ((probabilities, attention),) = batches
        own = calibrated(probabilities.double().numpy(), self.calibration.temperature)
        return as_written(own), attention.numpy()

    def _predicted(self, media: Sequence[Media]) -> dict[str, VideoPrediction]:
        """The predictions for usable videos, by name."""
        if not media:
            return {}
        inputs, data = self.settings.inputs, self._features(media)
        probabilities, attention = self.scores(data, [row.video for row in media])
        valid, classes = data.valid(np.arange(len(media)), inputs), tuple(self.settings.classes)
        times = np.arange(self.settings.clips, dtype=float)
        return {
            row.video: VideoPrediction(
                row.video, classes, each, self.settings.modalities, scores, times, mask,
                row.warnings,
            )
            for row, each, scores, mask in zip(
                media, probabilities, attention, valid, strict=True
            )
        }  # fmt: skip

    def _features(self, media: Sequence[Media]) -> FeatureArrays:
        """The features of videos that the cache has."""
        return cached_features(media, self._extractors, self.settings.inputs)

    def _extractor(self, modality: str, weights: Path | None, cache: Path) -> Extractor:
        """The extractor of one modality; MafnetError if its features are not those of the run.

        weights: None if the model contains its frozen networks.
        """
        wanted = dict(self.settings.features[modality])
        if weights is None:
            made = self._source.extractor(modality, cache, self._threads)
            wanted["weights_sha256"] = made.cache.fingerprint.weights_sha256
        else:
            device = str(self._device)
            made = extractor(Path(), weights, cache, settings_of(wanted), self._threads, device)
        own = made.cache.fingerprint.as_dict()
        if different := [key for key in own | wanted if own.get(key) != wanted.get(key)]:
            key = different[0]
            raise MafnetError(
                f"the run was trained on {modality} features of another version of mafnet ({key}: "
                f"{wanted.get(key)!r} there, {own.get(key)!r} here); train it again, or install "
                "the version that trained it"
            )
        return made

    def _cache(self, cache: str | Path | None, project: Path) -> Path:
        """The cache that is given or is there already; otherwise a temporary one."""
        if cache:
            return Path(cache)
        for path in (project / "cache", Path("cache")):
            if path.is_dir():
                return path
        self._temporary = TemporaryDirectory(prefix="mafnet-")
        return Path(self._temporary.name)
