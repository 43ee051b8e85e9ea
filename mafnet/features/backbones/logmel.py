"""VGGish's and YAMNet's front end: one second of sound to a log-mel patch, 96 frames of 64 bands.

N clips, S samples a clip. The recipe is that of VGGish's authors (mel_features.py and
vggish_params.py in github.com/tensorflow/models, research/audioset/vggish). It differs from the
usual library defaults in four points, and each changes the features: frames start at sample 0 (no
centring), the FFT's padding is at the end of the frame, the spectrum is of magnitudes, and the
triangles are linear in mel.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

FRAME_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 512
PATCH_FRAMES = 96
MEL_BANDS = 64
LOWEST_HERTZ = 125.0
HIGHEST_HERTZ = 7500.0


def log_mel(samples: np.ndarray, offset: float = 0.01) -> np.ndarray:
    """Log-mel patches (N, 96, 64) of samples (N, S) at 16 kHz in [-1, 1]; S >= 15,600.

    A second holds 98 frames; the last two are dropped, as AudioSet's VGGish does. Computed in the
    samples' precision, float32 or float64.
    offset: added before the logarithm; 0.01 in VGGish, 0.001 in YAMNet.
    """
    starts = sliding_window_view(samples, FRAME_SAMPLES, axis=-1)[:, ::HOP_SAMPLES]
    frames = starts[:, :PATCH_FRAMES]  # (N, 96, 400)
    if frames.shape[1] < PATCH_FRAMES:
        raise ValueError(f"{samples.shape} holds fewer than {PATCH_FRAMES} frames a clip")
    spectrum = np.abs(np.fft.rfft(frames * _window().astype(samples.dtype), n=FFT_SAMPLES))
    # Not a matrix product: BLAS would take all cores of the machine for each of these small ones.
    mel = np.einsum("nfb,bm->nfm", spectrum, mel_matrix().astype(samples.dtype))  # (N, 96, 64)
    return np.log(mel + samples.dtype.type(offset))


@cache
def _window() -> np.ndarray:
    """The periodic Hann window, float64."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)


@cache
def mel_matrix() -> np.ndarray:
    """Weights (257, 64) float64 from magnitudes of FFT bins to mel bands.

    Triangles on the HTK mel scale whose sides are straight in mel. The bin of frequency 0 counts
    nowhere.
    """
    bins = _mel(np.linspace(0.0, 8000.0, FFT_SAMPLES // 2 + 1))[:, None]
    edges = np.linspace(_mel(LOWEST_HERTZ), _mel(HIGHEST_HERTZ), MEL_BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    matrix = np.maximum(0.0, np.minimum(rising, falling))
    matrix[0] = 0.0
    return matrix


def _mel(hertz: float | np.ndarray) -> np.ndarray:
    """HTK's mel scale."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
