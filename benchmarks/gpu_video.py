"""Measures the video networks on a GPU: clips a second in training and at test, and memory.

`make bench-gpu-video` runs `python -m benchmarks.gpu_video --write docs/performance.md`. The clips
are random numbers on the GPU, so decoding is not in it. On a machine without a GPU,
`--device cpu --quick` runs the same code on small clips.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks.markdown import markdown, write_marked
from mafnet.common.devices import described
from mafnet.model.mixed_precision import autocast, resolve
from mafnet.model.video import VIDEO_NETWORKS, VideoSpec
from mafnet.model.video.finetune import freeze

CLASSES = 28
SECONDS = 5.0
"""Shortest time of a measurement, after two passes that do not count."""

QUICK = {"frames": 8, "crop": 32, "clips_at_once": 2}
"""Options with `--quick`."""


def measure(spec: VideoSpec, device: torch.device, changes: dict[str, int], seconds: float) -> list:
    """A row of the table; changes: options that replace those of the recipe."""
    options = spec.parse(changes)
    network = spec.build(CLASSES).to(device)
    count = options.clips_at_once
    precision = resolve("auto", device)
    shape = (count, 3, options.frames, options.crop, options.crop)
    inputs = torch.randn(shape, device=device)
    labels = torch.randint(CLASSES, (count,), device=device)
    for part in freeze(network.train(), options.frozen_stages):
        part.eval()
    free = [each for each in network.parameters() if each.requires_grad]
    optimiser = torch.optim.SGD(free, 1e-4, options.momentum)

    def train() -> None:
        optimiser.zero_grad(set_to_none=True)
        with autocast(device, precision):
            logits = network(inputs)
        functional.cross_entropy(logits.float(), labels).backward()
        optimiser.step()

    def test() -> None:
        with torch.inference_mode(), autocast(device, precision):
            network(inputs)

    _reset(device)
    trained = count / _seconds(train, device, seconds)
    memory = _peak(device)
    network.eval()
    tested = count / _seconds(test, device, seconds)
    numbers = (f"{trained:,.1f}", f"{tested:,.1f}", f"{memory:.1f}" if memory else "-")
    return [spec.name, " x ".join(map(str, shape[:1] + shape[2:])), precision, *numbers]


def _seconds(call: Callable[[], None], device: torch.device, least: float) -> float:
    """Mean time of a call."""
    for _ in range(2):
        call()
    _wait(device)
    begin, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - begin < least:
        call()
        _wait(device)
        calls += 1
    return (time.perf_counter() - begin) / calls


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _reset(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float:
    """Gigabytes that torch reserved at most; 0 on a CPU."""
    return torch.cuda.max_memory_reserved(device) / 1e9 if device.type == "cuda" else 0.0


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small clips, a short time")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into this page")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("bench-gpu-video: torch finds no GPU; `--device cpu --quick` tries the code")
    device = torch.device(arguments.device)
    head = ["network", "clips", "precision", "training, clips/s", "test, clips/s", "memory GB"]
    changes, seconds = (QUICK, 0.1) if arguments.quick else ({}, SECONDS)
    rows = [measure(spec, device, changes, seconds) for spec in VIDEO_NETWORKS.values()]
    text = f"{described(device)}, torch {torch.__version__}\n\n{markdown(head, rows)}"
    print(text)
    if arguments.write:
        write_marked("gpu-video", text, arguments.write)


if __name__ == "__main__":
    main()
