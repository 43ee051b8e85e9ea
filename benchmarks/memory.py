"""Peak memory of every stage, and that it does not grow with the number or length of videos.

    .venv/bin/python benchmarks/memory.py FOLDER [--demo RUN] [--write]

Makes real videos, cache entries and tables of three sizes below FOLDER, runs each stage's own
command on them, and takes twenty times a second what the process and its children (decoders) have
resident: all of it, and what is anonymous, that is, not pages of mapped files, which the kernel may
drop at any time. RUN is a folder with a finished run, whose jobs Snakemake measured. Prints both
tables and writes FOLDER/memory.json; `--write` puts them into docs/performance.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from demo import rules
from marked import ROOT, markdown, write_marked

from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.common.files import sha256_of
from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.features.cache import Entry, FeatureCache
from mafnet.features.extract import Extracted, write_report
from mafnet.features.fingerprint import FeatureSettings, fingerprint_of
from mafnet.video.media import Media, write_media
from mafnet.video.settings import VideoSettings

SAMPLE_SECONDS = 0.05
CLIPS = 10
BACKBONES = {"visual": "densenet201", "audio": "vggish"}
JOB_VIDEOS = {"probe": (10, 40, 120), "extract audio": (10, 40, 120), "extract visual": (8, 16, 32)}
"""Videos of a job; a shard has 128 at most."""
LENGTHS = (10, 600, 7200)
TABLE_ROWS = (1000, 10_000, 100_000)
PACKED = (100, 400, 1600)


def tree(process: psutil.Process) -> Iterator[int]:
    """The numbers of a process and all below it, but for copies of it.

    A copy is about to become a decoder: all its pages are its parent's, and would count twice.
    """
    yield process.pid
    try:
        own = process.cmdline()
        yield from (
            child.pid for child in process.children(recursive=True) if child.cmdline() != own
        )
    except psutil.Error:  # gone meanwhile
        return


def resident(pid: int) -> tuple[float, float]:
    """Resident and anonymous MB of a process, 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    values = dict(line.split(":", 1) for line in lines)
    return tuple(int(values.get(key, "0").split()[0]) / 1000 for key in ("VmRSS", "RssAnon"))


def peak(*arguments: object) -> dict[str, float]:
    """The most that a command and its children had resident at a time, in MB."""
    command = [sys.executable, "-m", "mafnet", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    watched, highest = psutil.Process(process.pid), np.zeros(2)
    while process.poll() is None:
        highest = np.maximum(highest, np.sum([resident(pid) for pid in tree(watched)], axis=0))
        time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: failed\n{process.stderr.read().decode()}")
    return {"mb": float(highest[0]), "anonymous_mb": float(highest[1])}


def video(path: Path, seconds: int) -> Path:
    """A small H.264 + AAC file."""
    picture = f"testsrc2=size=320x240:rate={10 if seconds > 60 else 25}"
    sound = "sine=frequency=440:sample_rate=16000"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-t", str(seconds)]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-loglevel", "error"]
    subprocess.run([ffmpeg_path(), "-y", *inputs, *coded, path], check=True)
    return path


def copies(source: Path, folder: Path, count: int) -> None:
    """Files that differ by an empty part at their end, so that each is extracted."""
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:04d}.mp4"
        shutil.copy(source, path)
        with path.open("ab") as file:
            file.write(b"\0\0\0\x10free" + number.to_bytes(8, "big"))


def listed(folder: Path) -> Path:
    """A manifest of a folder's videos."""
    subsets = ("train", "val", "test")
    samples = [
        Sample(path.stem, path.name, f"class{number % 2}", subsets[number % 3])
        for number, path in enumerate(sorted(folder.glob("*.mp4")))
    ]
    manifest = folder / "manifest.csv"
    write_manifest(samples, manifest)
    return manifest


def settings(modality: str, clips: int) -> dict:
    """What an extraction is told."""
    video_settings = {"clips": clips, "timeout_seconds": 600}
    features = {"backbone": BACKBONES[modality], "weights": "random"}
    return {"video": video_settings, "features": features}


def calibrated(folder: Path, modality: str) -> Path:
    """Random weights, calibrated on a folder's videos."""
    path = folder / f"{modality}.safetensors"
    given = settings(modality, 1) | {"random": {"seed": 0, "calibration_videos": 2}}
    peak("calibrate", "--manifest", listed(folder), "--root", folder,
         "--settings", json.dumps(given), "--output", path)  # fmt: skip
    return path


def job(stage: str, folder: Path, weights: dict[str, Path], clips: int) -> dict[str, float]:
    """Peak memory of probing or extracting a folder's videos, all in one job."""
    manifest, media = listed(folder), folder / "media.tsv"
    probe = ("probe", "--manifest", manifest, "--root", folder, "--shard", "0000",
             "--output", media, "--threads", 2)  # fmt: skip
    found = peak(*probe)
    if stage == "probe":
        return found
    modality = stage.split()[1]
    return peak("extract", "--media", media, "--root", folder, "--weights", weights[modality],
                "--cache", folder / "cache", "--settings", json.dumps(settings(modality, clips)),
                "--output", folder / "report.tsv", "--threads", 2, "--device", "cpu")  # fmt: skip


def jobs(folder: Path) -> Iterator[dict]:
    """The stages that see a shard: by the number of videos, and by their length."""
    short = video(folder / "short.mp4", 3)
    copies(short, folder / "calibration", 3)
    weights = {name: calibrated(folder / "calibration", name) for name in BACKBONES}
    for stage, counts in JOB_VIDEOS.items():
        clips = 1 if stage == "extract visual" else CLIPS
        for count in counts:
            place = folder / f"{stage} {count}"
            copies(short, place, count)
            yield {"stage": stage, "grows": "videos of a job", "size": count} | job(
                stage, place, weights, clips
            )
    for seconds in LENGTHS:
        long = video(folder / f"{seconds}.mp4", seconds)
        for stage in ("probe", "extract audio", "extract visual"):
            place = folder / f"{stage} {seconds} s"
            copies(long, place, 1)
            yield {"stage": stage, "grows": "seconds of a video", "size": seconds} | job(
                stage, place, weights, CLIPS
            )


def tables(folder: Path) -> Iterator[dict]:
    """The media table, by the number of its rows."""
    for count in TABLE_ROWS:
        place = folder / f"media {count}"
        place.mkdir()
        names = [f"some/folder/{number:011d}.mp4" for number in range(count)]
        sha256 = "0" * 64
        write_media([Media(name, sha256, 10**6, 10**18, 10.0) for name in names], place / "probed")
        for modality in BACKBONES:
            write_report([Extracted(name, sha256, 10) for name in names], place / modality)
        cost = peak("media", "--probed", place / "probed", "--visual", place / "visual",
                    "--audio", place / "audio", "--settings", json.dumps({"clips": CLIPS}),
                    "--output", place / "media.tsv")  # fmt: skip
        yield {"stage": "media", "grows": "videos", "size": count} | cost


def cached(folder: Path, modality: str, weights: Path, count: int) -> Path:
    """Entries of made-up features, and the media table of their videos."""
    given = settings(modality, CLIPS)
    video_settings = VideoSettings(**given["video"])
    print_ = fingerprint_of(
        FeatureSettings(**given["features"]), video_settings, sha256_of(weights)
    )
    cache = FeatureCache(folder / "cache", print_)
    shape = {"visual": (CLIPS, 7, 7, 1920), "audio": (CLIPS, 12, 8, 512)}[modality]
    entry = Entry(np.maximum(np.random.default_rng(0).normal(size=shape), 0).astype(np.float16))
    rows = [Media(f"{number:04d}.mp4", f"{number:064x}") for number in range(count)]
    for row in rows:
        cache.write(row.sha256, entry)
    write_media(rows, folder / "media.tsv")
    return folder / "media.tsv"


def packed(folder: Path, weights: Path, count: int) -> dict[str, float]:
    """Peak memory of packing audio maps of so many videos into folder/audio.h5."""
    media = cached(folder, "audio", weights, count)
    return peak("pack", "--media", media, "--root", folder, "--weights", weights,
                "--cache", folder / "cache", "--settings", json.dumps(settings("audio", CLIPS)),
                "--output", folder / "audio.h5", "--device", "cpu")  # fmt: skip


def whole(folder: Path) -> Iterator[dict]:
    """The stages that see the whole data set, by its number of videos, 1 MB of features each."""
    weights = folder / "calibration/audio.safetensors"
    network = {"modalities": "audio", "film": "none", "hidden": 8, "bn_momentum": 0.1}
    training = {"learning_rate": 1e-3, "batch_size": 32, "max_epochs": 1, "patience": 1,
                "min_gain": 0.0, "drop_rate": 0.0, "precision": "float32"}  # fmt: skip
    run = {"variant": "x", "network": "mafnet", "options": network, "training": training}
    for count in PACKED:
        place = folder / f"packed {count}"
        place.mkdir()
        grows = {"grows": "MB of features", "size": count}
        yield {"stage": "pack"} | grows | packed(place, weights, count)
        shutil.rmtree(place / "cache")
        for number in range(count):
            (place / f"{number:04d}.mp4").touch()
        given = ("--manifest", listed(place), "--features", place / "audio.h5")
        common = ("--threads", 2, "--device", "cpu")
        cost = peak("train", *given, "--settings", json.dumps(run), "--seed", 0,
                    "--output", place / "run", *common)  # fmt: skip
        yield {"stage": "train"} | grows | cost
        measured = json.dumps({"batch_size": 32, "top_k": 2})
        cost = peak("evaluate", *given, "--settings", measured, "--split", "main",
                    "--run", place / "run", *common)  # fmt: skip
        yield {"stage": "evaluate"} | grows | cost


def series(rows: list[dict], key: str) -> str:
    """One figure of all sizes."""
    return " / ".join(f"{row[key]:,.0f}" for row in rows)


def growth_table(found: list[dict]) -> str:
    """One line a stage and what grows."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in found:
        groups.setdefault((row["stage"], row["grows"]), []).append(row)
    lines = [
        [stage, grows, *(series(rows, key) for key in ("size", "mb", "anonymous_mb"))]
        for (stage, grows), rows in groups.items()
    ]
    return markdown(["stage", "what grows", "to", "peak MB", "of it anonymous"], lines)


def demo_table(run: Path) -> str:
    """The rules of a finished run, as Snakemake measured its jobs; it samples once a second."""
    table = rules(run).reset_index().query("longest >= 1")
    lines = [
        [row.stage, row.rule, str(row.jobs), f"{row.longest:.1f} s", f"{row.peak_mb:.0f} MB"]
        for row in table.itertuples()
    ]
    return markdown(["stage", "rule", "jobs", "longest", "peak memory"], lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--demo", type=Path, help="folder with a finished demo")
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True)
    written = {"memory-demo": demo_table(options.demo)} if options.demo else {}
    found = [*jobs(folder), *tables(folder), *whole(folder)]
    written["memory"] = growth_table(found)
    print("\n\n".join(written.values()))
    (folder / "memory.json").write_text(json.dumps(found, indent=2) + "\n")
    if options.write:
        for name, text in written.items():
            write_marked(name, text)


if __name__ == "__main__":
    main()
