"""Measures the video networks on a GPU: clips a second in training and at test, and memory.

`make bench-gpu-video` runs `python -m benchmarks.gpu_video --write docs/performance.md`. The clips
are random numbers on the GPU, so decoding is not in it. On a machine without a GPU,
`--device cpu --side 32 --clips 1` runs the same code.
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


def measure(spec: VideoSpec, device: torch.device, side: int, clips: int) -> list[str]:
    """A row of the table; side and clips of 0 are those of the recipe."""
    options = spec.parse({})
    network = spec.build(CLASSES).to(device)
    count = clips or options.clips_at_once
    precision = resolve("auto", device)
    shape = (count, 3, options.frames, side or options.crop, side or options.crop)
    inputs = torch.randn(shape, device=device)
    labels = torch.randint(CLASSES, (count,), device=device)
    freeze(network, options.frozen_stages)
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
    trained = count / _seconds(train, device)
    memory = _peak(device)
    network.eval()
    tested = count / _seconds(test, device)
    numbers = (f"{trained:,.1f}", f"{tested:,.1f}", f"{memory:.1f}" if memory else "-")
    return [spec.name, " x ".join(map(str, shape[:1] + shape[2:])), precision, *numbers]


def _seconds(call: Callable[[], None], device: torch.device) -> float:
    """Mean time of a call."""
    for _ in range(2):
        call()
    _wait(device)
    begin, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - begin < SECONDS:
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
    parser.add_argument("--side", type=int, default=0, help="side of the clips; 0: of the recipe")
    parser.add_argument("--clips", type=int, default=0, help="clips at once; 0: of the recipe")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into this page")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("bench-gpu-video: torch finds no GPU; give --device cpu to try the code")
    device = torch.device(arguments.device)
    head = ["network", "clips", "precision", "training, clips/s", "test, clips/s", "memory GB"]
    rows = [measure(spec, device, arguments.side, arguments.clips)
            for spec in VIDEO_NETWORKS.values()]  # fmt: skip
    text = f"{described(device)}, torch {torch.__version__}\n\n{markdown(head, rows)}"
    print(text)
    if arguments.write:
        write_marked("gpu-video", text, arguments.write)


if __name__ == "__main__":
    main()
