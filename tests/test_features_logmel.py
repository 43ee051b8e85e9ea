"""The front end of VGGish: equality with the original and with librosa."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mafnet.features.backbones.logmel import log_mel, mel_matrix

librosa = pytest.importorskip("librosa")

DATA = Path(__file__).parent / "data"
SIGNALS = ("chirp", "noise", "mixture", "silence", "clicks", "stereo", "half")

# The reference was computed in float64 with another FFT; the difference is about 1e-12.
FLOAT64_TOLERANCE = 1e-10
# In empty bands, log(x + 0.01) divides the float32 rounding error of a loud spectrum by 0.01.
FLOAT32_TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("recipe", DATA / "parity" / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return np.load(DATA / "parity_features" / "logmel.npz")


def signal(recipe, name):
    """One second in [-1, 1], float64, channels averaged."""
    samples = recipe.signals(16_000)[name] / 32768.0
    return samples.mean(axis=1) if samples.ndim == 2 else samples


def test_mel_matrix_equals_the_original(reference):
    # Both are float64 and differ by the order of a few additions.
    assert np.abs(mel_matrix() - reference["mel_matrix"]).max() < 1e-12


@pytest.mark.parametrize("name", SIGNALS)
def test_log_mel_in_float64_equals_the_original(name, recipe, reference):
    patch = log_mel(signal(recipe, name)[None])
    assert patch.shape == (1, 96, 64)
    assert np.abs(patch - reference[name]).max() < FLOAT64_TOLERANCE


@pytest.mark.parametrize("name", SIGNALS)
def test_log_mel_in_float32_is_close_to_the_original(name, recipe, reference):
    patch = log_mel(signal(recipe, name).astype(np.float32)[None])
    assert patch.dtype == np.float32
    assert np.abs(patch - reference[name]).max() < FLOAT32_TOLERANCE


@pytest.mark.parametrize("name", ["noise", "mixture"])
def test_log_mel_equals_the_spectrum_of_librosa_with_the_same_matrix(name, recipe):
    samples = signal(recipe, name)
    # librosa centres a short window in the FFT. A full-length window with zeros at its end is the
    # same as padding at the end.
    window = np.concatenate([librosa.filters.get_window("hann", 400), np.zeros(112)])
    padded = np.concatenate([samples, np.zeros(112)])
    spectrum = librosa.stft(padded, n_fft=512, hop_length=160, window=window, center=False)
    expected = np.log(np.abs(spectrum).T[:96] @ mel_matrix() + 0.01)
    patch = log_mel(samples[None])[0]
    # librosa computes in float64 here; 1e-6 leaves room for another FFT library.
    np.testing.assert_allclose(patch, expected, rtol=1e-6, atol=1e-9)


def test_each_clip_of_a_batch_is_computed_alone(recipe):
    samples = np.stack([signal(recipe, name) for name in SIGNALS])
    together = log_mel(samples)
    alone = np.concatenate([log_mel(clip[None]) for clip in samples])
    # Sums over another number of clips may round differently.
    assert np.abs(together - alone).max() < FLOAT64_TOLERANCE


def test_silence_gives_the_logarithm_of_the_offset():
    patch = log_mel(np.zeros((1, 16_000)))
    assert np.array_equal(patch, np.full((1, 96, 64), np.log(0.01)))


def test_clip_that_is_too_short_is_refused_with_its_shape():
    with pytest.raises(ValueError, match="15599"):
        log_mel(np.zeros((2, 15_599)))
    assert log_mel(np.zeros((2, 15_600))).shape == (2, 96, 64)
