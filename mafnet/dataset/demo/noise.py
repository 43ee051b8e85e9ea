"""Noise for a harder demo, in frames and audio, that a backbone cannot average out.

Noise of single pixels disappears after a few layers. Clouds as large as the shapes do not.
"""

from collections.abc import Iterable, Iterator

import numpy as np

CLOUDS = (3, 4)
"""Rows and columns of the coarse colour grid that is interpolated to a cloud."""

LOUDNESS = (0.3, 1.7)
"""Range of the loudness of a second of noise, relative to the mean."""


def clouds(
    frames: Iterable[np.ndarray], frame_rate: int, level: float, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 with soft coloured clouds, which change every second.

    level: standard deviation of a cloud's colours, in levels of 0 to 255.
    """
    for index, frame in enumerate(frames):
        if index % frame_rate == 0:
            cloud = _cloud(frame.shape, level, generator)
        yield np.clip(np.round(frame + cloud), 0, 255).astype(np.uint8)


def hiss(
    samples: np.ndarray, sample_rate: int, level: float, generator: np.random.Generator
) -> np.ndarray:
    """Stereo samples (S, 2) int16 with noise, equal in both channels.

    Loudness and spectral tilt change every second. level: mean standard deviation of the noise,
    relative to a full scale of 1.
    """
    seconds = [
        generator.uniform(*LOUDNESS) * _noise(min(sample_rate, len(samples) - start), generator)
        for start in range(0, len(samples), sample_rate)
    ]
    noise = 32767 * level * np.concatenate(seconds)[:, None]
    return np.clip(np.round(samples + noise), -32768, 32767).astype(np.int16)


def _cloud(shape: tuple[int, ...], level: float, generator: np.random.Generator) -> np.ndarray:
    """(H, W, 3): a coarse grid of random colours, linearly interpolated."""
    coarse = generator.normal(0, level, (*CLOUDS, 3))
    down, across = (_interpolation(*sizes) for sizes in zip(CLOUDS, shape, strict=False))
    return np.einsum("hr,rcl,wc->hwl", down, coarse, across, optimize=True)


def _interpolation(points: int, size: int) -> np.ndarray:
    """(size, points) weights of linear interpolation between equally spaced points."""
    positions = np.linspace(0, points - 1, size)
    return np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(points)))


def _noise(length: int, generator: np.random.Generator) -> np.ndarray:
    """(length,) noise of standard deviation 1, between white and 1/f in power."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    bins = np.maximum(np.arange(len(spectrum)), 1)
    tilted = np.fft.irfft(spectrum * bins ** -generator.uniform(0, 0.5), length)
    return tilted / tilted.std()
