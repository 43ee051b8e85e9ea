"""How the cost of the workflow itself grows with the number of videos, from 500 to 22,000.

    .venv/bin/python benchmarks/growth.py FOLDER [--videos N ...] [--write]

For each number, writes a manifest and as many files that are only names below FOLDER, and times
Snakemake where everything is to be done (`-n`, in a fresh directory), and where nothing is: all
results are put there as files of a line and accepted by `--touch`. Each is run ROUNDS times; the
table has medians, with CPU seconds in brackets. Prints it and writes FOLDER/growth.json; `--write`
puts table and figure into docs/.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import yaml
from marked import ROOT, markdown, write_marked

VIDEOS = (500, 2000, 8000, 22_000)
ROUNDS = 3
TARGET = "results/names/metrics.json"
SUBSETS = ("train", "train", "train", "train", "val", "test")
ASKED = ("first", "dry_run", "nothing")
GOALS = {"dry_run_s": 5.0, "nothing_s": 3.0, "peak_mb": 200.0}
"""What asking may cost at 22,000 videos."""


def make(folder: Path, videos: int) -> None:
    """A manifest, its files of one byte, and the settings that name them."""
    root = folder / "videos"
    root.mkdir(parents=True)
    lines = ["sample,video,label,subset"]
    for number in range(videos):
        (root / f"{number:07d}.mp4").write_bytes(b"x")
        subset = SUBSETS[number % len(SUBSETS)]
        lines.append(f"s{number:07d},{number:07d}.mp4,class{number % 28:02d},{subset}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    entry = {"root": "videos", "splits": {"main": "manifest.csv"}}
    (folder / "settings.yaml").write_text(yaml.safe_dump({"datasets": {"names": entry}}))


def snakemake(folder: Path, *arguments: str) -> tuple[dict[str, float], str]:
    """Seconds of the clock and of the CPU, peak resident MB of a run; and what it said."""
    command = [
        *(sys.executable, "-m", "snakemake", TARGET, *arguments, "--cores", "2"),
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)),
        *("--configfile", str(folder / "settings.yaml")),
    ]
    said = folder / "said.log"
    start = time.perf_counter()
    with said.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: failed\n{said.read_text()}")
    cost = {"s": time.perf_counter() - start, "cpu_s": usage.ru_utime + usage.ru_stime}
    return cost | {"mb": usage.ru_maxrss / 1000}, said.read_text()


def finish(folder: Path) -> None:
    """Put all results there, and have Snakemake take them for made."""
    _, summary = snakemake(folder, "--summary")
    for line in summary.splitlines():
        name, _, rest = line.partition("\t")
        if rest and name != "output_file":
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n")
    snakemake(folder, "--touch")


def median(costs: list[dict[str, float]], key: str) -> float:
    """The median of one figure."""
    return statistics.median(cost[key] for cost in costs)


def measure(folder: Path, videos: int, rounds: int) -> dict[str, float]:
    """What asking costs for one number of videos."""
    make(folder, videos)
    first, text = snakemake(folder, "-n", "--quiet", "rules")
    jobs = int(re.findall(r"^total +(\d+)$", text, re.MULTILINE)[0])
    dry = [first] + [snakemake(folder, "-n", "--quiet", "rules")[0] for _ in range(rounds - 1)]
    finish(folder)
    nothing = []
    for _ in range(rounds):
        cost, text = snakemake(folder)
        if "Nothing to be done" not in text:
            sys.exit(f"{folder}: something is to be done\n{text}")
        nothing.append(cost)
    return {
        "videos": videos,
        "jobs": jobs,
        "first_s": first["s"],
        "first_cpu_s": first["cpu_s"],
        "dry_run_s": median(dry, "s"),
        "dry_run_cpu_s": median(dry, "cpu_s"),
        "nothing_s": median(nothing, "s"),
        "nothing_cpu_s": median(nothing, "cpu_s"),
        "peak_mb": max(cost["mb"] for cost in dry + nothing),
    }


def table(found: list[dict[str, float]]) -> str:
    """The figures in Markdown."""
    header = ["videos", "jobs", "`snakemake -n`, first time", "`snakemake -n`",
              "nothing to do", "peak memory"]  # fmt: skip
    rows = [
        [
            f"{row['videos']:,}",
            str(row["jobs"]),
            *(f"{row[f'{key}_s']:.1f} s ({row[f'{key}_cpu_s']:.1f})" for key in ASKED),
            f"{row['peak_mb']:.0f} MB",
        ]
        for row in found
    ]
    return markdown(header, rows)


def draw(found: list[dict[str, float]], path: Path) -> None:
    """The figure: seconds over videos, with the goals."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "mafnet", "font.size": 10}
    figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    videos = [row["videos"] for row in found]
    for key, label, style in (
        ("dry_run_s", "everything to do (-n)", "o-"),
        ("nothing_s", "nothing to do", "s--"),
    ):
        (line,) = axes.plot(videos, [row[key] for row in found], style, label=label)
        axes.axhline(GOALS[key], color=line.get_color(), linewidth=1, linestyle=":")
        goal = f"goal, {label}: {GOALS[key]:.0f} s"
        axes.annotate(goal, (0, GOALS[key] + 0.05), va="bottom")
    axes.set(xlabel="videos", ylabel="seconds", xlim=(0, None), ylim=(0, GOALS["dry_run_s"] + 0.8))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure all numbers of videos."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, nargs="+", default=VIDEOS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="put table and figure into docs/")
    options = parser.parse_args()
    folder = options.folder.resolve()
    found = [measure(folder / str(count), count, options.rounds) for count in options.videos]
    print(table(found))
    (folder / "growth.json").write_text(json.dumps(found, indent=2) + "\n")
    if options.write:
        write_marked("growth", table(found))
        draw(found, ROOT / "docs/growth.svg")


if __name__ == "__main__":
    main()
