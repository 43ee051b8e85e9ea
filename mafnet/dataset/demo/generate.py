"""The demo data: small audio-visual events in real H.264 + AAC files, without any download.

Two classes share each look, and two classes share each sound. So a model with one modality must
guess between two classes. The construction guarantees this, because the files come in sets. A set
has one frame sequence for each look, one waveform for each sound and one event window. It contains
each class once, as a combination of these. So two classes with the same look have identical frames,
and a model with one modality is right about at most half of a set.
"""

import logging
import subprocess
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import ffmpeg
import numpy as np

from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path, file_url
from mafnet.common.files import replacing
from mafnet.common.machine_errors import raise_disk_error
from mafnet.dataset.config import DemoSettings
from mafnet.dataset.demo.noise import clouds, hiss
from mafnet.dataset.demo.scenes import Canvas, draw, synthesise
from mafnet.dataset.manifest import SUBSETS, Sample, write_manifest

log = logging.getLogger(__name__)

CLASSES = {
    "red-hum": ("red", "hum"),
    "red-whistle": ("red", "whistle"),
    "green-whistle": ("green", "whistle"),
    "green-rattle": ("green", "rattle"),
    "blue-rattle": ("blue", "rattle"),
    "blue-hum": ("blue", "hum"),
}
"""Label to (look, sound): a cycle in which neighbours share one of the two."""

FRAME_RATES = (12, 15, 20, 25)
SAMPLE_RATES = (44_100, 48_000)

ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": 23},
    "libopenh264": {"video_bitrate": "400k"},
}
"""H.264 encoders, best first, and their settings."""


def make_demo(root: Path, settings: DemoSettings) -> Path:
    """Write `videos/*.mp4` and then `manifest.csv` below `root`; returns the manifest's path.

    Raises MafnetError if ffmpeg cannot encode H.264.
    """
    samples = plan(settings)
    log.info("demo: generating %d videos in %s", len(samples), root)
    with ThreadPoolExecutor(usable_cores()) as pool:
        # list() raises the errors of the workers here.
        list(pool.map(lambda sample: make_video(root, sample, settings), samples))
    manifest = root / "manifest.csv"
    write_manifest(samples, manifest)
    return manifest


def plan(settings: DemoSettings) -> list[Sample]:
    """The samples, set by set. A set contains each class once and is in one subset only."""
    counts = (settings.train, settings.val, settings.test)
    subsets = [s for s, count in zip(SUBSETS, counts, strict=True) for _ in range(count)]
    return [
        Sample(
            sample=f"{label}_{number:02d}",
            video=f"videos/{label}_{number:02d}.mp4",
            label=label,
            subset=subset,
            event=_event(number, settings),
        )
        for number, subset in enumerate(subsets)
        for label in CLASSES
    ]


def make_video(root: Path, sample: Sample, settings: DemoSettings) -> None:
    """Generate and encode the video of one sample, atomically."""
    number = sample.sample.rpartition("_")[2]
    look, sound = CLASSES[sample.label]
    canvas = _canvas(number, sample, settings)
    samples = synthesise(sound, canvas, _generator(settings.seed, number, sound))
    frames = draw(look, canvas, _generator(settings.seed, number, look))
    if settings.sound_noise:
        noise = _generator(settings.seed, number, sound, "noise")
        samples = hiss(samples, canvas.sample_rate, settings.sound_noise, noise)
    if settings.picture_noise:
        noise = _generator(settings.seed, number, look, "noise")
        frames = clouds(frames, canvas.frame_rate, settings.picture_noise, noise)
    with tempfile.TemporaryDirectory() as folder, replacing(root / sample.video) as beside:
        pcm = Path(folder) / "sound.raw"  # the frames use the only standard input
        pcm.write_bytes(samples.tobytes())
        pixels = b"".join(frame.tobytes() for frame in frames)
        _run(_encoding(pcm, canvas, beside), pixels, sample.video)


def _seconds(number: int, settings: DemoSettings) -> int:
    """The length of the set's videos."""
    generator = _generator(settings.seed, f"{number:02d}", "length")
    return settings.seconds - int(generator.integers(settings.shorter_by + 1))


def _event(number: int, settings: DemoSettings) -> tuple[float, float]:
    """The set's event [start, end): all windows in turn, in a random order of the seed."""
    seconds = _seconds(number, settings)
    windows = [
        (start, start + length)
        for length in range(1, seconds)
        for start in range(seconds - length + 1)
    ]
    order = _generator(settings.seed, "windows").permutation(len(windows))
    start, end = windows[order[number % len(windows)]]
    return float(start), float(end)


def _canvas(number: str, sample: Sample, settings: DemoSettings) -> Canvas:
    generator = _generator(settings.seed, number, "rates")
    return Canvas(
        width=settings.width,
        height=settings.height,
        frame_rate=int(generator.choice(FRAME_RATES)),
        sample_rate=int(generator.choice(SAMPLE_RATES)),
        seconds=_seconds(int(number), settings),
        event=(int(sample.event[0]), int(sample.event[1])),
    )


def _generator(seed: int, *names: str) -> np.random.Generator:
    """An independent random stream for each name, whatever else is drawn."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def _encoding(pcm: Path, canvas: Canvas, target: Path) -> list[str]:
    """ffmpeg's command: frames from standard input, audio from `pcm`, an mp4 file in `target`.

    One thread and no metadata, so the bytes depend only on the input.
    """
    size = (canvas.width, canvas.height)
    frames = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt="rgb24", video_size=size, framerate=canvas.frame_rate
    )
    audio = ffmpeg.input(file_url(pcm), format="s16le", ac=2, ar=canvas.sample_rate)
    encoder = _encoder()
    options = {"vcodec": encoder, "pix_fmt": "yuv420p", "acodec": "aac", "audio_bitrate": "96k"}
    quiet = {"fflags": "+bitexact", "flags": "bitexact", "map_metadata": -1, "threads": 1}
    output = ffmpeg.output(
        frames, audio, file_url(target), format="mp4", **options, **quiet, **ENCODERS[encoder]
    )
    return output.global_args("-nostdin", "-v", "error", "-y").compile(cmd=ffmpeg_path())


@cache
def _encoder() -> str:
    """The best H.264 encoder of this ffmpeg."""
    listed = subprocess.run(
        [ffmpeg_path(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    ).stdout.split()
    for encoder in ENCODERS:
        if encoder in listed:
            return encoder
    raise MafnetError(
        f"{ffmpeg_path()} has no H.264 encoder ({', '.join(ENCODERS)}); install another ffmpeg"
    )


def _run(command: list[str], frames: bytes, video: str) -> None:
    result = subprocess.run(command, input=frames, capture_output=True, check=False)
    if result.returncode:
        text = result.stderr.decode("utf-8", "replace")
        raise_disk_error(text)
        lines = text.strip().splitlines()
        raise MafnetError(f"ffmpeg could not encode {video}: {lines[-1] if lines else ''}")
