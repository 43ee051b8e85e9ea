"""What makes a demo hard: noise over a picture or a sound that a backbone cannot average away.

Grain of single pixels is gone after a few layers; clouds as large as the shapes are not.
"""

from collections.abc import Iterable, Iterator

import numpy as np

CLOUDS = (3, 4)
"""Rows and columns of the coarse grid of colours that a cloud is smoothly drawn from."""

LOUDNESS = (0.3, 1.7)
"""How far a second of noise is from the mean loudness, as a factor."""


def clouds(
    frames: Iterable[np.ndarray], frame_rate: int, level: float, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 under soft coloured clouds, others every second.

    level: standard deviation of a cloud's colours, in levels of 0 to 255.
    """
    for index, frame in enumerate(frames):
        if index % frame_rate == 0:
            cloud = _cloud(frame.shape, level, generator)
        yield np.clip(np.round(frame + cloud), 0, 255).astype(np.uint8)


def hiss(
    samples: np.ndarray, sample_rate: int, level: float, generator: np.random.Generator
) -> np.ndarray:
    """Stereo samples (S, 2) int16 under noise, the same in both ears.

    Every second has a loudness and a tilt of the spectrum of its own. level: mean standard
    deviation of the noise, of a full scale of 1.
    """
    seconds = [
        generator.uniform(*LOUDNESS) * _noise(min(sample_rate, len(samples) - start), generator)
        for start in range(0, len(samples), sample_rate)
    ]
    noise = 32767 * level * np.concatenate(seconds)[:, None]
    return np.clip(np.round(samples + noise), -32768, 32767).astype(np.int16)


def _cloud(shape: tuple[int, ...], level: float, generator: np.random.Generator) -> np.ndarray:
    """(H, W, 3) of a coarse grid of random colours, smoothly filled in."""
    coarse = generator.normal(0, level, (*CLOUDS, 3))
    down, across = (_filling(*sizes) for sizes in zip(CLOUDS, shape, strict=False))
    return np.einsum("hr,rcl,wc->hwl", down, coarse, across, optimize=True)


def _filling(points: int, size: int) -> np.ndarray:
    """(size, points) weights that draw straight lines through equally spaced points."""
    places = np.linspace(0, points - 1, size)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(points)))


def _noise(length: int, generator: np.random.Generator) -> np.ndarray:
    """(length,) noise of standard deviation 1, between white and 1/f in power."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    bins = np.maximum(np.arange(len(spectrum)), 1)
    tilted = np.fft.irfft(spectrum * bins ** -generator.uniform(0, 0.5), length)
    return tilted / tilted.std()
