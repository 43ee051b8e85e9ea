"""Measure Snakemake's own time and memory for data sets of up to two million videos.

    make bench-scale

runs `python -m benchmarks.scale --write docs/scaling.md`. For each size it writes a manifest and
empty files, and measures dry runs: of the main process, for a data set without any result, and of
the Snakemake that a cluster starts in each job. It also measures rule `screen`, which compares all
videos in one job, on made tables of as many videos with different bytes. No video is opened. The
table is printed and written into the page between the comments `scale`.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.markdown import markdown, write_marked
from mafnet.video.media import Media, write_media

ROOT = Path(__file__).parents[1]
SIZES = (22_000, 200_000, 2_000_000)
CLASSES = 31
FOLDERS = 1000
SHARDS = 2048
"""The largest number of shards of a data set."""
CONFIG = """
datasets:
  mine:
    root: videos
    splits: {main: manifest.csv}
    features: {visual: {weights: random}, audio: {weights: random}}
"""
JOBS = {
    "probe": "probe:dataset=mine,shard=0001",
    "extract": "extract:dataset=mine,modality=visual,shard=0001",
}
HEADER = ["videos", "jobs", "process", "CPU s", "wall s", "peak MB"]


def make_data(folder: Path, videos: int) -> None:
    """A manifest and an empty file for each of its rows."""
    for number in range(FOLDERS):
        (folder / f"videos/{number:03d}").mkdir(parents=True)
    with (folder / "manifest.csv").open("w") as file:
        file.write("sample,video,label,subset\n")
        for i in range(videos):
            video = f"{i % FOLDERS:03d}/clip_{i:07d}_000010_000020.mp4"
            subset = ("val", "test")[i % 10 - 8] if i % 10 > 7 else "train"
            file.write(f"s{i:07d},{video},class {i % CLASSES},{subset}\n")
            os.close(os.open(folder / "videos" / video, os.O_CREAT | os.O_WRONLY))
    (folder / "mine.yaml").write_text(CONFIG)


def dry_run(folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """The output of a dry run, and its CPU seconds, wall seconds and peak MB as texts."""
    command = [sys.executable, "-m", "snakemake", *arguments, "-n", "--quiet", "rules"]
    command += ["--cores", "2", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "mine.yaml"]
    return measured(command, folder)


def screening(folder: Path) -> list[str]:
    """The cost of `mafnet screen` for tables as rule probe writes them, in 2,048 shards."""
    with (folder / "manifest.csv").open() as file:
        videos = sorted(line.split(",")[1] for line in file.readlines()[1:])
    options = []
    for shard in range(SHARDS):
        table = folder / f"media/{shard:04d}.tsv"
        table.parent.mkdir(exist_ok=True)
        write_media(map(probed, videos[shard::SHARDS]), table)
        options += ["--probed", str(table)]
    command = [sys.executable, "-m", "mafnet", "screen", "--dataset", "mine", *options]
    command += ["--split", "main", "manifest.csv", "--output", "screen.json"]
    return measured(command, folder)[1]


def probed(video: str) -> Media:
    """A row of the media table, as of a video of ten seconds."""
    return Media(
        video, sha256=hashlib.sha256(video.encode()).hexdigest(), size_bytes=1_400_000,
        mtime_ns=1_700_000_000_123_456_789, duration_seconds=10.0, start_seconds=0.0,
        container="mov,mp4,m4a,3gp,3g2,mj2", video_codec="h264", width=1280, height=720,
        frame_rate=29.97, video_duration_seconds=10.0, audio_codec="aac", audio_channels=2,
        audio_rate=44_100, audio_duration_seconds=10.0,
    )  # fmt: skip


def measured(command: list[str], folder: Path) -> tuple[str, list[str]]:
    """The output of a command, and its CPU seconds, wall seconds and peak MB as texts."""
    # In a process of its own, because the system keeps one peak of all children of a process.
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(_measure, command, folder).result()


def _measure(command: list[str], folder: Path) -> tuple[str, list[str]]:
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stdout)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    return done.stdout, [f"{cpu:.1f}", f"{wall:.1f}", f"{used.ru_maxrss / 1024:.0f}"]


def measure(videos: int, folder: Path) -> list[list[str]]:
    """The rows of the table for one size."""
    make_data(folder, videos)
    rows = []
    for name in ("first dry run", "second dry run"):
        text, numbers = dry_run(folder, "results/mine/metrics.json")
        jobs = next(line.split()[1] for line in text.splitlines() if line.startswith("total"))
        rows.append([f"{videos:,}", jobs, name, *numbers])
    for rule, job in JOBS.items():
        options = ("--mode", "remote", "--force", "--target-jobs", job, "--allowed-rules", rule)
        rows.append([f"{videos:,}", "1", f"a job of `{rule}`", *dry_run(folder, *options)[1]])
    rows.append([f"{videos:,}", "1", "the work of `screen`", *screening(folder)])
    return rows


def main(line: list[str]) -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, nargs="+", default=SIZES, help="sizes of data sets")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into this page")
    arguments = parser.parse_args(line)
    rows = []
    for videos in arguments.videos:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(videos, Path(folder))
        print(f"{videos:,} videos measured", file=sys.stderr)
    text = markdown(HEADER, rows)
    print(text)
    if arguments.write:
        write_marked("scale", text, arguments.write)


if __name__ == "__main__":
    main(sys.argv[1:])
