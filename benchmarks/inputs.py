"""Paths and sizes of a benchmark's inputs.

{folder}/videos/{n}.mp4              H.264 + AAC, 640 x 360, 30 frames a second
{folder}/media.tsv                   the media table of these videos
{folder}/{visual,audio}.safetensors  random weights, calibrated on the first video; small-* are
                                     those of the small pair of networks
{folder}/{visual,audio}.npy          the first video as our decoder returns it
{folder}/made/                       made-up features of {samples} videos: pickles, cache, files
{folder}/head.safetensors            the first weights of MAFnet

prepare.py writes these files.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mafnet.features.defaults import OWN, PAPER

MOST_CLASSES = 28
BACKBONES, SMALL = PAPER, OWN
"""The pairs of networks: the paper's, and the one for people's own videos."""
SHAPES = {"visual": (7, 7, 1920), "audio": (12, 8, 512)}


@dataclass(frozen=True)
class Inputs:
    """The folder of the inputs and their sizes.

    seconds: length of a video, and number of clips T of the made-up features.
    videos: number of videos that are extracted end to end. batch: videos in a training step.
    threads: cores that each way may use. backend: of our backbones, as in features.*.backend.
    """

    folder: Path
    seconds: int
    videos: int
    batch: int
    threads: int
    backend: str = "auto"

    @property
    def samples(self) -> int:
        """Number of videos with made-up features: one batch to train on and one to evaluate."""
        return 2 * self.batch

    @property
    def root(self) -> Path:
        """The folder of the videos."""
        return self.folder / "videos"

    @property
    def made(self) -> Path:
        """The folder of the made-up features."""
        return self.folder / "made"

    def weights(self, modality: str, small: bool = False) -> Path:
        """The weights of a backbone, of the paper's or of the small pair."""
        return self.folder / f"{'small-' * small}{modality}.safetensors"

    def clips(self, modality: str) -> np.ndarray:
        """The decoded first video: (T, 16, 224, 224, 3) uint8 or (T, 16000) int16."""
        return np.load(self.folder / f"{modality}.npy")

    def maps(self, number: int, modality: str) -> np.ndarray:
        """Made-up features (T, ...) float32 of a video; two thirds are zeros, as after a ReLU.

        The mean of each channel differs between videos. If videos differed only by noise, the
        batch normalisation of the logits would amplify rounding errors.
        """
        generator = np.random.default_rng([number, len(modality)])
        shape = (self.seconds, *SHAPES[modality])
        channels = generator.normal(-0.4, 0.5, shape[-1])
        return np.maximum(generator.normal(channels, 1, shape), 0).astype(np.float32)

    @property
    def names(self) -> list[str]:
        """Names of the videos with made-up features, those of the training batch first."""
        return [f"{number:04d}" for number in range(self.samples)]

    @property
    def classes(self) -> int:
        """Number of classes; every class has a sample."""
        return min(MOST_CLASSES, self.samples)

    @property
    def labels(self) -> np.ndarray:
        """(samples,) class numbers."""
        return np.arange(self.samples) % self.classes
