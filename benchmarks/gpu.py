"""Measure extraction on a GPU: DenseNet-201 alone, decoding alone, and both end to end.

    make bench-gpu

runs `python -m benchmarks.gpu --write docs/performance.md`. It measures, prints the tables, and
writes them into the page between the comments `gpu`. On a machine without a GPU, the options
`--device cpu --videos 1 --seconds 1` run the same code on two frames a clip.
The videos are new H.264 files of 640 x 360 pixels; the weights are random, because time does not
depend on them. Each number is the best of --rounds.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.markdown import markdown, write_marked
from benchmarks.prepare import make_video
from mafnet.features.backbones import frozen_network
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.features.cache import FeatureCache
from mafnet.features.config import FeatureSettings
from mafnet.features.decode_pool import Clip, decode_in_parallel
from mafnet.features.extract import Extractor
from mafnet.features.fingerprint import fingerprint_of
from mafnet.features.parallel import in_parallel
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.probe import probe_many

DENSENET = FeatureSettings(backbone="densenet201", weights="random", backend="torch")
DIFFERENT = 8
"""Number of videos that are encoded; the others are copies with a few more bytes."""

PRECISIONS = {"cuda": ("float32", "bfloat16", "float16"), "cpu": ("float32", "bfloat16")}
BATCHES = {"cuda": (8, 16, 32, 64), "cpu": (1,)}
FRAMES = {"cuda": VideoSettings().frames_per_clip, "cpu": 2}
BATCHES_AHEAD = 4
WHOLE = ["files to cache", "clips a batch", "frames/s", "network busy", "decoders busy"]


class Bench:
    """The measurements, for a number of videos of a length, on one device."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.device, self.threads = arguments.device, arguments.threads
        self.rounds, self.compiled = arguments.rounds, arguments.compile
        self.video = VideoSettings(
            clips=arguments.seconds,
            frames_per_clip=FRAMES[self.device],
            hwaccel=arguments.hwaccel,
        )
        self.folder = folder
        self.media = make_videos(folder, arguments.videos, arguments.seconds, self.threads)
        self.frames = len(self.media) * self.video.clips * self.video.frames_per_clip
        self.weights = frozen_network(DENSENET.backbone).random_weights(0)

    def backbone(self, precision: str, batch: int) -> object:
        """DenseNet-201 with batches of `batch` clips."""
        network = TorchBackbone(DENSENET.backbone, self.weights, self.device, precision)
        network.batch = batch
        if self.compiled:
            network.network = torch.compile(network.network)
        return network

    def seconds(self, work: Callable[[int], object]) -> float:
        """The shortest wall time of a round; `work` gets the number of the round."""
        taken = []
        for number in range(self.rounds):
            start = time.perf_counter()
            work(number)
            taken.append(time.perf_counter() - start)
        return min(taken)

    def networks(self) -> list[dict]:
        """Frames a second of the network alone; input and output are in main memory."""
        rows = []
        for precision in PRECISIONS[self.device]:
            for batch in BATCHES[self.device]:
                backbone = self.backbone(precision, batch)
                shape = (batch, self.video.frames_per_clip, 224, 224, 3)
                clips = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
                work = [clips] * BATCHES_AHEAD
                list(in_parallel(backbone, work, backbone, self.threads))  # warm

                def once(_: int, backbone: object = backbone, work: list = work) -> None:
                    list(in_parallel(backbone, work, backbone, self.threads))

                frames = len(work) * batch * self.video.frames_per_clip
                rate = frames / self.seconds(once)
                rows.append({"precision": precision, "batch": batch, "rate": rate})
        return rows

    def decoding(self) -> float:
        """Frames a second of the decoder pool alone."""

        def once(_: int) -> None:
            events = decode_in_parallel(self.media, self.folder, "visual", self.video, self.threads)
            clips = sum(isinstance(event, Clip) for event in events)
            if clips * self.video.frames_per_clip != self.frames:
                sys.exit("bench-gpu: decoding returned too few clips; is ffmpeg complete?")

        return self.frames / self.seconds(once)

    def end_to_end(self, precision: str, batch: int) -> float:
        """Frames a second from video files to the cache; the network is loaded before."""
        backbone = self.backbone(precision, batch)
        backbone(np.zeros((batch, self.video.frames_per_clip, 224, 224, 3), np.uint8))  # warm
        print_ = fingerprint_of(
            DENSENET.model_copy(update={"precision": precision}), self.video, "0" * 64
        )

        def once(number: int) -> None:
            cache = FeatureCache(self.folder / f"cache-{precision}-{number}", print_)
            found = Extractor(cache, self.folder, self.video, lambda: backbone, self.threads)
            if any(row.status != "ok" for row in found.extract(self.media)):
                sys.exit("bench-gpu: a video could not be extracted; see the error above")

        return self.frames / self.seconds(once)


def make_videos(folder: Path, count: int, seconds: int, threads: int) -> list[Media]:
    """Make and probe the videos; copies differ in a box of free bytes, so each is extracted."""
    for number in range(count):
        path = folder / f"{number:04d}.mp4"
        if number < DIFFERENT:
            make_video(path, number, seconds)
        else:
            free = (8 + number).to_bytes(4, "big") + b"free" + bytes(number)
            path.write_bytes((folder / f"{number % DIFFERENT:04d}.mp4").read_bytes() + free)
    names = [path.name for path in sorted(folder.glob("*.mp4"))]
    return list(probe_many(folder, names, threads, 60.0))


def best(rows: list[dict]) -> dict[str, dict]:
    """The fastest batch of every precision."""
    return {row["precision"]: row for row in sorted(rows, key=lambda row: row["rate"])}


def report(bench: Bench) -> str:
    """Measure everything; returns the tables in Markdown."""
    networks, decoding = bench.networks(), bench.decoding()
    alone = [[row["precision"], str(row["batch"]), f"{row['rate']:,.0f}"] for row in networks]
    whole = []
    for precision, row in best(networks).items():
        rate = bench.end_to_end(precision, row["batch"])
        busy = [f"{100 * rate / limit:.0f} %" for limit in (row["rate"], decoding)]
        whole.append([precision, str(row["batch"]), f"{rate:,.0f}", *busy])
    return "\n\n".join(
        [
            f"{heading(bench)} Decoding alone: {decoding:,.0f} frames/s.",
            markdown(["network alone", "clips a batch", "frames/s"], alone),
            markdown(WHOLE, whole),
        ]
    )


def heading(bench: Bench) -> str:
    """The sentence above the tables: device, versions, videos."""
    network = "compiled network" if bench.compiled else "eager network"
    return (
        f"{name_of(bench.device)}, {bench.threads} cores, torch {torch.__version__}, "
        f"{time.strftime('%Y-%m-%d')}; {len(bench.media)} videos, {bench.video.clips} s, 640x360, "
        f"{bench.video.frames_per_clip} frames a clip; hwaccel {bench.video.hwaccel}, {network}."
    )


def name_of(device: str) -> str:
    """Name of the device."""
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def arguments_of(line: list[str]) -> argparse.Namespace:
    """The checked options; exits with one line if there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--videos", type=int, default=512)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--hwaccel", default="none", help="hardware decoding, as in video.hwaccel")
    parser.add_argument(
        "--compile", action="store_true", help="compile the network with torch.compile"
    )
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="write the tables into this page"
    )
    arguments = parser.parse_args(line)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("bench-gpu: torch finds no GPU; `--device cpu` runs a small test without one")
    return arguments


def main(line: list[str]) -> None:
    """Measure, print, and write the page."""
    arguments = arguments_of(line)
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        text = report(Bench(arguments, Path(folder)))
    print(text)
    if arguments.write:
        write_marked("gpu", text, arguments.write)


if __name__ == "__main__":
    main(sys.argv[1:])
