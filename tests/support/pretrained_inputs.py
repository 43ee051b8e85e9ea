"""Frames and sounds for the networks with published weights; needs numpy only."""

import numpy as np

RATE = 16_000


def frames():
    """Two frames (2, 224, 224, 3) uint8: coloured waves, and a bright disc on noise."""
    y, x = np.mgrid[:224, :224]
    waves = [np.sin(x / (5 + 3 * channel) + y / 17) for channel in range(3)]
    noise = np.random.default_rng(0).integers(0, 120, (224, 224, 3))
    disc = ((x - 90) ** 2 + (y - 130) ** 2 < 60**2)[..., None] * np.array([130, 60, 20])
    return np.stack([127.5 + 120 * np.stack(waves, axis=-1), noise + disc]).astype(np.uint8)


def sounds():
    """Six sounds of one second (6, 16000) int16.

    A tone, a rising tone, noise, clicks, a chord that fades, and silence.
    """
    time = np.arange(RATE) / RATE
    generator = np.random.default_rng(1)
    clicks = np.zeros(RATE)
    clicks[::2000] = 1
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (262, 330, 392, 1048)) / 4
    shapes = [
        np.sin(2 * np.pi * 440 * time),
        np.sin(2 * np.pi * (200 + 1500 * time) * time),
        generator.uniform(-1, 1, RATE),
        clicks,
        chord * np.exp(-4 * time),
        np.zeros(RATE),
    ]
    return np.round(9000 * np.stack(shapes)).astype(np.int16)
