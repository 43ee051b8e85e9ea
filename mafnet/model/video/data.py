"""Samples and their videos, as fine-tuning and evaluation of video networks read them."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mafnet.common.errors import MachineError, MafnetError
from mafnet.common.files import digest_of
from mafnet.dataset.manifest import Sample, read_manifest, require_subsets
from mafnet.model.video.options import VideoOptions
from mafnet.video.clip_reader import ClipReader
from mafnet.video.isolate import Failure
from mafnet.video.media import Media, read_media
from mafnet.video.sampling import Clip
from mafnet.video.status import Status

log = logging.getLogger(__name__)

MAX_UNREADABLE = 0.05
"""Largest share of videos that may not count because they cannot be decoded."""

FEW = 3
"""Number of unreadable videos that is not yet too many in a small subset."""


@dataclass(frozen=True)
class VideoSubset:
    """The usable samples of one subset, their videos, and the indices (S,) of their classes."""

    samples: list[Sample]
    videos: list[Media]
    labels: np.ndarray


class VideoData:
    """A manifest joined with the media table, which has the videos that the features have too.

    classes: all names; None for those of the manifest.
    """

    def __init__(
        self, manifest: Path, media: Path, root: Path, classes: Sequence[str] | None
    ) -> None:
        known = list(classes or [])
        self.manifest, self.root = manifest, root
        self._samples = read_manifest(manifest, known)
        self.classes = known or sorted({sample.label for sample in self._samples})
        self._media = {row.video: row for row in read_media(media) if row.ok}

    @property
    def digest(self) -> str:
        """It changes if a row of the manifest or the bytes of a video change."""
        bytes_of = {name: row.sha256 for name, row in self._media.items()}
        return digest_of([self.classes, [astuple(sample) for sample in self._samples], bytes_of])

    def in_train(self, subset: VideoSubset) -> int:
        """How many samples of a subset have a video or group that is also in train."""
        trained = {sample.cluster for sample in self._samples if sample.subset == "train"}
        return sum(sample.cluster in trained for sample in subset.samples)

    def subset(self, name: str) -> VideoSubset:
        """The samples of a subset whose video is usable; MafnetError if there are none."""
        wanted = [sample for sample in self._samples if sample.subset == name]
        samples = [sample for sample in wanted if sample.video in self._media]
        require_subsets(samples, [name], self.manifest)
        if len(samples) < len(wanted):
            log.warning("%s: %d of %d samples have no usable video", name,
                        len(wanted) - len(samples), len(wanted))  # fmt: skip
        index = {label: number for number, label in enumerate(self.classes)}
        labels = np.array([index[sample.label] for sample in samples])
        return VideoSubset(samples, [self._media[sample.video] for sample in samples], labels)


class Frames:
    """Decodes clips and converts them for the network.

    A video that cannot be decoded twice is an error where all are `required`. Else its clips are
    black, `unreadable` has its name, and there is a warning; many are an error. It is always one
    if a fault of the machine interrupted the decoding.
    """

    def __init__(
        self, reader: ClipReader, root: Path, options: VideoOptions, required: bool = False
    ) -> None:
        self._reader, self._root, self._required = reader, root, required
        mean, deviation = torch.tensor(options.mean), torch.tensor(options.deviation)
        self._scale, self._shift = 1 / (255 * deviation), mean / deviation
        self._read, self.unreadable = 0, set[str]()

    def read(self, wanted: Iterable[tuple[Media, Sequence[Clip]]]) -> Iterator[list[Tensor]]:
        """For each video its clips, each (T, side, side, 3) uint8."""
        asked: list[tuple[Media, Sequence[Clip]]] = []

        def calls() -> Iterator[tuple[Path, Media, Sequence[Clip]]]:
            for media, clips in wanted:
                asked.append((media, clips))
                yield self._root / media.video, media, clips

        for result in self._reader.read(calls()):
            media, clips = asked.pop(0)
            self._read += 1
            if isinstance(result, Failure):
                (result,) = self._reader.read([(self._root / media.video, media, clips)])
            if isinstance(result, Failure):
                yield self._black(media, clips, result)
            else:
                self.unreadable.discard(media.video)
                yield [torch.from_numpy(clip) for clip in result]

    def batch(self, clips: Sequence[Tensor], device: torch.device) -> Tensor:
        """(B, 3, T, side, side) float32 of clips of one size, normalised on the device."""
        pixels = torch.stack(list(clips)).to(device).float()
        normal = pixels * self._scale.to(device) - self._shift.to(device)
        return normal.permute(0, 4, 1, 2, 3).contiguous()

    def _black(self, media: Media, clips: Sequence[Clip], why: Failure) -> list[Tensor]:
        reason = f"{media.video}: {why.reason} ({why.message})"
        if why.reason == Status.INTERRUPTED:
            raise MachineError(
                f"{reason}, twice; check the disk and the limits of the machine, and run the same "
                "command again"
            )
        if self._required:
            raise MafnetError(
                f"{reason}; raise video.decoder_memory_mb or video.timeout_seconds, or remove its "
                "rows from the manifest: every sample must have a prediction"
            )
        if media.video not in self.unreadable:
            log.warning("%s; it does not count here", reason)
        self.unreadable.add(media.video)
        if len(self.unreadable) > max(FEW, MAX_UNREADABLE * self._read):
            raise MafnetError(
                f"{reason}, as {len(self.unreadable)} of {self._read} clips; raise video."
                "decoder_memory_mb or video.timeout_seconds, or check the folder of the videos"
            )
        shapes = ((len(clip.times), clip.side, clip.side, 3) for clip in clips)
        return [torch.zeros(shape, dtype=torch.uint8) for shape in shapes]
