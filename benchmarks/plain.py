"""The plain way to features, which mafnet's extraction is compared with.

It follows the paper and its released code: 16 frames a second as JPEG files, squashed to 224 x 224;
audio as a WAV file; one pickle for each video and modality. It shows how one would write it without
mafnet, and imports nothing of mafnet. N frames, T clips of one second.

    python benchmarks/plain.py --visual W --audio W --output FOLDER --threads 2 VIDEO...
"""

import argparse
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
from PIL import Image

FRAMES_A_SECOND = 16
SIDE = 224
SAMPLE_RATE = 16_000
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VGGISH = ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2")
POOLS_AFTER = ("conv1", "conv2", "conv3_2")


def run_ffmpeg(threads: int, *arguments: object) -> None:
    """Run ffmpeg: the one on the PATH, else the packaged one."""
    program = shutil.which("ffmpeg")
    if program is None:
        from imageio_ffmpeg import get_ffmpeg_exe

        program = get_ffmpeg_exe()
    command = [program, "-nostdin", "-v", "error", "-y", "-threads", threads, *arguments]
    subprocess.run([str(part) for part in command], check=True)


def frames_of(video: Path, folder: Path, threads: int) -> np.ndarray:
    """Frames (16 T, 224, 224, 3) uint8, through JPEG files; a missing last frame is repeated."""
    run_ffmpeg(threads, "-i", video, "-vf", f"fps={FRAMES_A_SECOND}", folder / "%04d.jpg")
    frames = []
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as image:
            frames.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.NEAREST)))
    seconds = round(len(frames) / FRAMES_A_SECOND)
    frames += [frames[-1]] * (seconds * FRAMES_A_SECOND - len(frames))
    return np.stack(frames[: seconds * FRAMES_A_SECOND])


def waveform_of(video: Path, folder: Path, threads: int) -> np.ndarray:
    """Waveform (16000 T,) float32 in [-1, 1), mono, through a WAV file, padded with silence."""
    path = folder / "audio.wav"
    run_ffmpeg(threads, "-i", video, "-vn", "-ac", "1", "-ar", SAMPLE_RATE, path)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    seconds = max(1, round(len(samples) / SAMPLE_RATE))
    padded = np.zeros(seconds * SAMPLE_RATE, np.float32)
    padded[: len(samples)] = samples[: len(padded)] / 32768.0
    return padded


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Input patches (T, 96, 64) float32 of VGGish, from a waveform of T seconds."""
    clips = samples.reshape(-1, SAMPLE_RATE)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    patches = []
    for clip in clips:
        frames = np.stack([clip[start : start + 400] for start in range(0, 96 * 160, 160)])
        spectrum = np.abs(np.fft.rfft(frames * window, 512))
        patches.append(np.log(spectrum @ mel_filters() + 0.01))
    return np.stack(patches).astype(np.float32)


def mel_filters() -> np.ndarray:
    """Triangular filters (257, 64) from 125 to 7500 Hz, of equal width on the mel scale of HTK."""

    def mel(hertz: np.ndarray) -> np.ndarray:
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    bins = mel(np.arange(257) * SAMPLE_RATE / 512)
    edges = np.linspace(mel(np.array(125.0)), mel(np.array(7500.0)), 66)
    filters = np.zeros((257, 64))
    for band in range(64):
        left, middle, right = edges[band : band + 3]
        slopes = np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle))
        filters[:, band] = np.maximum(0.0, slopes)
    filters[0] = 0.0
    return filters


def visual_network(weights: Path) -> "torch.nn.Module":  # noqa: F821 - imported when needed
    """DenseNet-201 of torchvision up to its last ReLU, unchanged: float32, eager mode, NCHW."""
    import torchvision
    from safetensors.torch import load_file
    from torch import nn

    features = torchvision.models.densenet201(weights=None).features
    features.load_state_dict(load_file(weights))
    return nn.Sequential(features, nn.ReLU()).eval()


def visual_features(network: "torch.nn.Module", frames: np.ndarray) -> np.ndarray:  # noqa: F821
    """Maps (T, 7, 7, 1920) float32, mean over 16 frames; all frames of a video are one batch."""
    import torch

    with torch.no_grad():
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float() / 255
        pixels = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        maps = network(pixels)
        maps = maps.view(-1, FRAMES_A_SECOND, *maps.shape[1:]).mean(dim=1)
        return maps.permute(0, 2, 3, 1).numpy()


def audio_network(weights: Path) -> "torch.nn.Module":  # noqa: F821
    """VGGish up to conv4_2 and its ReLU: float32, eager mode, NCHW."""
    from safetensors.torch import load_file
    from torch import nn

    state = load_file(weights)
    layers = []
    for name in VGGISH:
        outputs, inputs = state[f"{name}.weight"].shape[:2]
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        convolution.load_state_dict({part: state[f"{name}.{part}"] for part in ("weight", "bias")})
        layers += [convolution, nn.ReLU()] + [nn.MaxPool2d(2)] * (name in POOLS_AFTER)
    return nn.Sequential(*layers).eval()


def audio_features(network: "torch.nn.Module", samples: np.ndarray) -> np.ndarray:  # noqa: F821
    """Maps (T, 12, 8, 512) float32 of a waveform of T seconds."""
    import torch

    with torch.no_grad():
        maps = network(torch.from_numpy(log_mel(samples))[:, None])
        return maps.permute(0, 2, 3, 1).numpy()


def write_pickle(features: np.ndarray, path: Path) -> None:
    """Write the features of one video and modality."""
    with path.open("wb") as file:
        pickle.dump(np.ascontiguousarray(features), file, pickle.HIGHEST_PROTOCOL)


def read_pickle(path: Path) -> np.ndarray:
    """Read what `write_pickle` wrote."""
    with path.open("rb") as file:
        return pickle.load(file)


def extract(
    videos: list[Path],
    networks: tuple["torch.nn.Module", "torch.nn.Module"],  # noqa: F821
    output: Path,
    threads: int,
) -> None:
    """Write {output}/{video}.{visual,audio}.pickle for every video, one after the other."""
    visual, audio = networks
    output.mkdir(parents=True, exist_ok=True)
    for video in videos:
        with tempfile.TemporaryDirectory(dir=output) as folder:
            frames = frames_of(video, Path(folder), threads)
            write_pickle(visual_features(visual, frames), output / f"{video.stem}.visual.pickle")
            samples = waveform_of(video, Path(folder), threads)
            write_pickle(audio_features(audio, samples), output / f"{video.stem}.audio.pickle")


def main() -> None:
    """Extract both modalities of the videos that are given on the command line."""
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    for name in ("visual", "audio", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    networks = visual_network(given.visual), audio_network(given.audio)
    extract(given.videos, networks, given.output, given.threads)


if __name__ == "__main__":
    main()
