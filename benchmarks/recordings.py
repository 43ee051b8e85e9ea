"""Time and memory of `mafnet predict --windows` on long recordings.

    make bench-recordings

runs `python -m benchmarks.recordings --write docs/performance.md`. It draws a few labelled videos,
trains a small network on them (EfficientNet-Lite0 and YAMNet with random weights, T = 10), draws
recordings, and predicts them by the command, a window every five seconds. The memory is that of the
process with its decoders, sampled. A recording of T seconds shows the memory of the networks.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.markdown import markdown, write_marked
from mafnet.common.cores import usable_cores
from mafnet.common.ffmpeg import ffmpeg_path

ROOT = Path(__file__).parents[1]
CLASSES = {"low": 300, "high": 900}
T = 10
HOP = 5
HEADER = [
    "recording", "frames read a second", "wall s", "CPU s", "seconds read per CPU second",
    "peak MB", "MB above 10 s",
]  # fmt: skip
SAMPLING_SECONDS = 0.5


@dataclass(frozen=True)
class Recording:
    """A recording to draw. read: frames of each second that the network reads."""

    seconds: int
    size: str
    rate: int
    read: int

    def __str__(self) -> str:
        return f"{_duration(self.seconds)}, {self.size} at {self.rate} a second"


RECORDINGS = (
    Recording(T, "640x360", 25, 16),
    Recording(600, "640x360", 25, 16),
    Recording(T, "64x64", 2, 1),
    Recording(3 * 3600, "64x64", 2, 1),
)
QUICK = (Recording(T, "64x64", 2, 1), Recording(3 * T, "64x64", 2, 1))


def _duration(seconds: int) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def draw(path: Path, seconds: int, size: str, rate: int, hertz: int) -> None:
    """A video of moving shapes with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}"]
    inputs += ["-f", "lavfi", "-i", f"sine=f={hertz}:d={seconds}:r=16000"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([ffmpeg_path(), "-v", "error", *inputs, *codecs, str(path)], check=True)


def mafnet(folder: Path, *words: object) -> None:
    """Run a command of mafnet in a folder; exits with its output if it fails."""
    command = [sys.executable, "-P", "-m", "mafnet", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}recordings: {' '.join(command)} failed")


def trained(folder: Path, frames: int) -> Path:
    """A run of a small network that reads so many frames a second, by `mafnet new` and `run`."""
    name = f"read{frames}"
    mafnet(folder, "new", name, "videos")
    random = {"weights": "random"}
    change = {
        "video": {"clips": T, "frames_per_clip": frames},
        "features": {"visual": random, "audio": random, "random": {"calibration_videos": 2}},
        "model": {"seeds": [0], "network": {"hidden": 64}, "training": {"max_epochs": 2}},
    }
    (folder / "change.yaml").write_text(yaml.safe_dump({"datasets": {name: change}}))
    run = f"results/{name}/main/mafnet/seed0"
    mafnet(folder, "run", name, f"{run}/metrics.json", "--configfile", "change.yaml",
           "--quiet", "all")  # fmt: skip
    return folder / run


def measured(folder: Path, run: Path, recording: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and the peak memory (10^6 bytes) of a prediction."""
    words = ["predict", str(recording), "--windows", "--hop", str(HOP), "--json"]
    command = [sys.executable, "-P", "-m", "mafnet", "--quiet", *words, "--model", str(run)]
    start, peak, environment = time.monotonic(), 0, os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "--device", "cpu"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        peak = max(peak, sum(map(memory_bytes, tree(process.pid))))
        time.sleep(SAMPLING_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        sys.exit(f"recordings: {' '.join(command)} failed")
    return time.monotonic() - start, ended[2].ru_utime + ended[2].ru_stime, peak / 1e6


def tree(process: int) -> list[int]:
    """A process and all that it started."""
    try:
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        children = [int(each) for task in tasks for each in task.read_text().split()]
    except OSError:
        children = []
    return [process, *(found for child in children for found in tree(child))]


def memory_bytes(process: int) -> int:
    """Memory of a process, with its part of what several share; 0 if it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1])


def main() -> None:
    """Print the table, and write it into a page."""
    parser = argparse.ArgumentParser(description="Time and memory of predict --windows.")
    parser.add_argument("--quick", action="store_true", help="two recordings below a minute")
    parser.add_argument("--write", type=Path, help="page with the comments `recordings`")
    given = parser.parse_args()
    rows, first = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, hertz in CLASSES.items():
            for number in range(5):
                path = folder / f"videos/{label}/{number}.mp4"
                draw(path, T, f"{64 + 2 * number}x64", 10, hertz)
        runs: dict[int, Path] = {}
        for each in QUICK if given.quick else RECORDINGS:
            if each.read not in runs:
                runs[each.read] = trained(folder, each.read)
            path = folder / "recording.mp4"
            path.unlink(missing_ok=True)
            draw(path, each.seconds, each.size, each.rate, 440)
            wall, cpu, peak = measured(folder, runs[each.read], path)
            above = peak - first.setdefault(each.read, peak)
            numbers = [wall, cpu, each.seconds / cpu, peak, above]
            rows.append([str(each), str(each.read), *(f"{number:.3g}" for number in numbers)])
            print(" | ".join(rows[-1]), flush=True)
    text = f"{usable_cores()} cores, `python -m benchmarks.recordings`:\n\n{markdown(HEADER, rows)}"
    print(text)
    if given.write:
        write_marked("recordings", text, given.write)


if __name__ == "__main__":
    main()
