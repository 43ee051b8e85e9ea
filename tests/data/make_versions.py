"""Small reference values of every step whose version is kept: writes versions.json beside itself.

    python tests/data/make_versions.py

Run it after raising a version in mafnet/common/versions.py or in the registry of backbones. Steps
whose version did not change keep their stored values, so the script cannot hide a change.
tests/test_common_versions.py compares.
"""

import json
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from support.made_features import extractor, made_data, made_samples  # noqa: E402
from support.made_videos import audio_of, ffmpeg, frames_of, probed, with_clips  # noqa: E402

from mafnet.common import versions  # noqa: E402
from mafnet.dataset.manifest import Sample  # noqa: E402
from mafnet.features.backbones import BACKBONES, frozen_network  # noqa: E402
from mafnet.video.media import Media  # noqa: E402
from mafnet.video.screen import screen  # noqa: E402

STORED = HERE / "versions.json"

PICTURE = "color=s=96x64:r=10:d=2.5,geq=lum='mod(16+X+Y+9*N,220)':cb='X+60':cr='Y+90'"
SOUND = "aevalsrc='0.3*sin(2*PI*(200+300*t)*t)|0.1*sin(2*PI*900*t)':s=44100:d=2"
LOSSLESS = ("-c:v", "ffv1", "-c:a", "pcm_s16le", "-fflags", "+bitexact", "-flags", "bitexact")


def made_file(folder: Path) -> Path:
    """A lossless file whose audio starts 0.4 seconds late."""
    path = folder / "made.mkv"
    sound = ("-itsoffset", "0.4", "-f", "lavfi", "-i", SOUND)
    ffmpeg("-f", "lavfi", "-i", PICTURE, *sound, *LOSSLESS, path)
    return path


def probe(folder: Path) -> dict:
    """All fields but those that follow from the bytes, which depend on the ffmpeg that wrote."""
    row = asdict(replace(probed(made_file(folder)), sha256="", size_bytes=0, mtime_ns=0))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}


def decode_visual(folder: Path) -> dict:
    """Mean levels of a 4 x 4 grid of every eighth frame."""
    frames, decoding = frames_of(made_file(folder), with_clips(4))
    blocks = frames[::8].reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4))
    return {"frames": len(frames), "warnings": list(decoding.warnings), "levels": numbers(blocks)}


def decode_audio(folder: Path) -> dict:
    """Root mean square of every tenth of a second."""
    samples, decoding = audio_of(made_file(folder), with_clips(4))
    loudness = np.sqrt((samples.reshape(-1, 1600).astype(float) ** 2).mean(axis=1))
    return {
        "samples": len(samples), "warnings": list(decoding.warnings), "loudness": numbers(loudness)
    }  # fmt: skip


def small_clips() -> np.ndarray:
    """Two clips of four frames with 32 x 32 pixels, so DenseNet gives one spatial position."""
    return np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3), dtype=np.uint8)


def tones() -> np.ndarray:
    """Two rising tones of one second, int16."""
    time = np.arange(16_000) / 16_000
    clips = [9000 * np.sin(2 * np.pi * hertz * time**2) for hertz in (300, 2000)]
    return np.stack(clips).astype(np.int16)


def calibrated(name: str, clips: np.ndarray) -> dict:
    """Random weights of a backbone, calibrated on clips."""
    network = frozen_network(name)
    return network.calibrate(network.random_weights(0), [clip[None] for clip in clips])


def calibrate(folder: Path) -> dict:
    """Statistics of the first and the last normalisation."""
    weights = calibrated("densenet201", small_clips())
    names = [f"{norm}.running_{what}" for norm in ("norm0", "norm5") for what in ("mean", "var")]
    return {name: numbers(weights[name][:8]) for name in names}


def features_of(name: str, folder: Path) -> dict:
    """Statistics of the features of two small clips, or of two rising tones."""
    from mafnet.features.backbones.inference import TorchBackbone

    clips = small_clips() if BACKBONES[name].modality == "visual" else tones()
    values = TorchBackbone(name, calibrated(name, clips), "cpu", "float32")(clips).astype(float)
    return {
        "shape": list(values.shape),
        "mean": numbers(values.mean(axis=(1, 2, 3))),
        "deviation": numbers(values.std(axis=(1, 2, 3))),
        "first": numbers(values.reshape(len(values), -1)[:, :12]),
    }


def media(folder: Path) -> list:
    """The outcomes of an ok, a warned, a silent, a damaged and a failed video."""
    from mafnet.features.media_table import merge_media
    from mafnet.features.shard_report import Extracted
    from mafnet.video.config import VideoSettings
    from mafnet.video.media import Media

    length = {"video_duration_seconds": 10.0, "audio_duration_seconds": 10.0}
    probed_rows = [Media(name, **length) for name in "abcde"]
    visual = {"b": {"warnings": ("odd",)}, "d": {"clips": 3}, "e": {"status": "undecodable"}}
    audio = {"c": {"clips": 0}}
    reports = {
        name: [Extracted(video, "", **{"clips": 10, **found.get(video, {})}) for video in "abcde"]
        for name, found in (("visual", visual), ("audio", audio))
    }
    rows = merge_media(probed_rows, reports, VideoSettings())
    return [[row.video, row.status, list(row.warnings), row.error] for row in rows]


def screened(folder: Path) -> list:
    """Notes on two files with the same bytes, in two subsets and with two labels."""
    rows = [Media(f"{name}.mp4", sha256=digest) for name, digest in zip("abc", "xxy", strict=True)]
    samples = [
        Sample(name, f"{name}.mp4", label, subset)
        for name, label, subset in (
            ("a", "one", "train"),
            ("b", "two", "test"),
            ("c", "one", "val"),
        )
    ]
    return screen({"main": samples}, rows)


def prepare(folder: Path) -> list:
    """Which subset each video of a made-up list is in: whole groups are held out."""
    from mafnet.dataset.holdout import Holdout
    from mafnet.dataset.sources import SOURCES

    names = [f"Archery/v_Archery_g{group:02d}_c01.avi" for group in range(1, 9)]
    texts = {
        "train01": "\n".join(f"{name} 1" for name in names[:6]),
        "test01": "\n".join(names[6:]),
    }
    samples = SOURCES["ucf51"].samples(texts, "split01", Holdout(share=0.3))
    return [[sample.sample, sample.label, sample.subset, sample.group] for sample in samples]


def pack(folder: Path) -> dict:
    """Layers, and some values of a feature file of maps that count upwards."""
    from mafnet.features.cache import Entry
    from mafnet.features.feature_file import open_features
    from mafnet.features.pack import pack as run
    from mafnet.video.media import Media

    worker = extractor(folder, "visual", clips=2)
    maps = np.arange(7 * 7 * 1920).reshape(1, 7, 7, 1920) % 97 / 16
    row = Media("a.mp4", sha256="0" * 64)
    worker.cache.write(row.sha256, Entry(maps.astype(np.float16)))
    run([row], worker, folder / "visual.h5", maps=True)
    layers = open_features(folder / "visual.h5").layers
    return {
        "layers": [[name, list(layer.shape), str(layer.dtype)] for name, layer in layers.items()],
        "valid": layers["valid"].tolist(),
        "pooled": numbers(layers["pooled"][0, :, :9]),
        "maps": numbers(layers["maps"][0, :, 3, 3, :9]),
    }


def run_settings(data: object) -> object:
    from mafnet.model.config import Training
    from mafnet.model.settings import RunSettings

    return RunSettings(
        variant="tried", network="mafnet", options={"hidden": 8, "bn_momentum": 0.1},
        training=Training(
            learning_rate=1e-3, batch_size=4, max_epochs=3, drop_rate=0.5, precision="float32"
        ),
        seed=3, classes=data.classes, clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip


def train(folder: Path) -> dict:
    """The losses of three epochs of three steps."""
    from mafnet.model.train import train as run

    data = made_data(folder, made_samples({"train": 4, "val": 1}), ("visual", "audio"))
    run(run_settings(data), data, folder / "run", torch.device("cpu"))
    rows = (folder / "run" / "history.csv").read_text().splitlines()
    return {"columns": rows[0], "losses": [float(row.split(",")[1]) for row in rows[1:]]}


def evaluate(folder: Path) -> dict:
    """Probabilities and attention of a network whose weights follow from their names."""
    from mafnet.model.config import Evaluation
    from mafnet.model.evaluate import evaluate as run
    from mafnet.model.run_folder import RunFolder
    from mafnet.model.train import new_network

    data = made_data(folder, made_samples({"test": 1, "val": 1}), ("visual", "audio"))
    settings = run_settings(data)
    state = new_network(settings, data).state_dict()
    made = {name: named_values(name, value) for name, value in state.items()}
    RunFolder(folder).write_settings(settings)
    RunFolder(folder).write_weights(made, settings)
    run(folder, data, Evaluation(batch_size=2), "main", torch.device("cpu"))
    header, *rows = (folder / "predictions.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    return {
        "columns": header,
        "rows": [[*row[:4], *map(float, row[4:])] for row in cells],
        "attention": numbers(np.load(folder / "attention.npz")["attention"]),
    }


def named_values(name: str, like: torch.Tensor) -> torch.Tensor:
    """Values of a weight's shape, positive where they are variances."""
    values = np.random.default_rng(zlib.crc32(name.encode())).normal(0, 0.2, tuple(like.shape))
    values = np.abs(values) + 1 if "running_var" in name else values
    return torch.from_numpy(np.asarray(values)).to(like.dtype)


def metrics(folder: Path) -> dict:
    """The summary of two seeds of 40 made-up test samples."""
    from mafnet.report.statistics.summary import summarise

    return summarise(made_runs(folder))


def made_runs(folder: Path) -> list:
    """Two seeds of 40 made-up test samples."""
    from support.made_runs import write_run

    from mafnet.dataset.manifest import Sample
    from mafnet.report.statistics.runs import read_run

    generator = np.random.default_rng(0)
    classes = ["a", "b", "c"]
    labels = generator.integers(3, size=40)
    samples = [Sample(f"s{n}", f"{n}.mp4", classes[c], "test") for n, c in enumerate(labels)]
    folders = [
        write_run(
            folder, samples, classes, generator.dirichlet(np.ones(3), 40) + 0.8 * np.eye(3)[labels],
            seed=seed, variant="tried", top_k=2,
        )
        for seed in (0, 1)
    ]  # fmt: skip
    return [read_run(path) for path in folders]


def demo(folder: Path) -> dict:
    """Mean colours and loudness of looks, sounds and noise; which events are planned."""
    from mafnet.dataset.config import DemoSettings
    from mafnet.dataset.demo.generate import plan
    from mafnet.dataset.demo.noise import clouds, hiss
    from mafnet.dataset.demo.scenes import SHAPES, SOUNDS, Canvas, draw, synthesise

    canvas = Canvas(width=64, height=48, frame_rate=4, sample_rate=8000, seconds=2, event=(1, 2))
    colours = {
        look: numbers(
            [frame.mean(axis=(0, 1)) for frame in draw(look, canvas, np.random.default_rng(1))]
        )
        for look in SHAPES
    }
    loudness = {
        sound: numbers(
            synthesise(sound, canvas, np.random.default_rng(1))
            .astype(float).reshape(-1, 4000, 2).std(axis=1)
        )
        for sound in SOUNDS
    }  # fmt: skip
    grey, silence = np.full((48, 64, 3), 128, np.uint8), np.zeros((8000, 2), np.int16)
    clouded = [frame.mean() for frame in clouds([grey] * 3, 1, 20, np.random.default_rng(1))]
    hissing = hiss(silence, 2000, 0.1, np.random.default_rng(1)).reshape(-1, 2000).std(axis=1)
    events = [row.event for row in plan(DemoSettings(seconds=4, shorter_by=2))][::6]
    planned = [[row.sample, row.label, row.subset, *row.event] for row in plan(DemoSettings())]
    return {
        "colours": colours,
        "loudness": loudness,
        "planned": planned[:9],
        "clouds": numbers(clouded),
        "hiss": numbers(hissing),
        "events_of_unequal_videos": numbers(events),
    }


def numbers(values: object) -> list:
    """Nested lists of numbers with six digits, which is more than any tolerance needs."""
    rounded = np.vectorize(lambda value: float(f"{value:.6g}"))(np.asarray(values, float))
    return rounded.tolist()


STEPS: dict[str, Callable[[Path], object]] = {
    "PROBE": probe,
    "DECODE_VISUAL": decode_visual,
    "DECODE_AUDIO": decode_audio,
    "CALIBRATE": calibrate,
    "SCREEN": screened,
    "MEDIA": media,
    "PREPARE": prepare,
    "PACK": pack,
    "TRAIN": train,
    "EVALUATE": evaluate,
    "METRICS": metrics,
    "DEMO": demo,
} | {name: partial(features_of, name) for name in BACKBONES}


def current_versions() -> dict[str, int]:
    """The version of every step and backbone."""
    steps = {name: value for name, value in vars(versions).items() if isinstance(value, int)}
    return steps | {name: spec.version for name, spec in BACKBONES.items()}


def measure(step: str) -> object:
    """A step's values now, as JSON would give them back."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(json.dumps(STEPS[step](Path(folder))))


def main() -> None:
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    for step, version in current_versions().items():
        if step not in stored or stored[step]["version"] != version:
            stored[step] = {"version": version, "values": measure(step)}
            sys.stdout.write(f"{step}: values of version {version} stored\n")
    STORED.write_text(json.dumps({step: stored[step] for step in STEPS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
