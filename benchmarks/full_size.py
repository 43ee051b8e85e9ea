"""Asking what is to be done for AVE, UCF51 and Kinetics-Sounds at their full size.

    .venv/bin/python benchmarks/full_size.py FOLDER

Writes lists of the published sizes with invented names and some 33,000 files that are only names
below FOLDER, prepares the manifests by the rules, and then times `snakemake -n`, where all that
follows the manifests is to be done. Prints a table and writes benchmarks/full_size.json.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
ROWS = {"train": 3339, "val": 402, "test": 402}
UCF = {1: (4901, 1944), 2: (4930, 1915), 3: (4945, 1900)}
KINETICS = {"train": 20_400, "val": 1594}
"""The paper's 21,945 videos, as far as published: 1,594 of val, the rest of train."""


def classes(name: str) -> list[str]:
    """A class list of resources/."""
    return (ROOT / f"resources/classes/{name}.txt").read_text().splitlines()


def touch(folder: Path, names: set[str]) -> None:
    """Files of one byte."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def make_ave(folder: Path) -> dict:
    """4,143 rows of 4,097 videos."""
    labels, names, number = classes("ave"), set(), 0
    for subset, count in ROWS.items():
        lines = []
        for row in range(count):
            number += 1
            # The last 46 training rows are second labels of the first 46 videos.
            video = f"v{number if subset != 'train' or row < count - 46 else row - count + 47:07d}"
            lines.append(f"{labels[number % 28]}&{video}&good&0&10")
            names.add(f"{video}.mp4")
        (folder / f"{subset}Set.txt").write_text("\n".join(lines))
    touch(folder / "AVE", names)
    return {"source": "ave", "folder": str(folder)}


def make_ucf51(folder: Path) -> dict:
    """6,845 videos in three splits."""
    labels = classes("ucf51")
    paths = [
        f"{labels[n % 51]}/v_{labels[n % 51]}_g{n // 51 % 25 + 1:02d}_c{n // 1275 + 1:02d}.avi"
        for n in range(6845)
    ]
    for split, (train, test) in UCF.items():
        turned = paths[split * 1000 :] + paths[: split * 1000]
        (folder / f"trainlist{split:02d}.txt").write_text(
            "\r\n".join(f"{p} 1" for p in turned[:train])
        )
        (folder / f"testlist{split:02d}.txt").write_text("\r\n".join(turned[train : train + test]))
    touch(folder / "UCF-101", set(paths))
    return {"source": "ucf51", "folder": str(folder)}


def make_kinetics(folder: Path) -> dict:
    """21,994 clips of 32 classes."""
    labels, names = classes("ks32"), set()
    for subset, count in KINETICS.items():
        lines = ["label,youtube_id,time_start,time_end,split,is_cc"]
        lines += [
            f"{labels[n % 32]},{subset}{n:07d},{n % 90},{n % 90 + 10},{subset},0"
            for n in range(count)
        ]
        names |= {f"{subset}{n:07d}_{n % 90:06d}_{n % 90 + 10:06d}.mp4" for n in range(count)}
        (folder / f"{subset}.csv").write_text("\n".join(lines))
    touch(folder / "clips", names)
    return {"source": "kinetics_sounds", "folder": str(folder)}


def snakemake(folder: Path, *arguments: str) -> dict[str, float]:
    """Wall and CPU seconds and peak resident MB of a run."""
    command = [
        *(sys.executable, "-m", "snakemake", *arguments, "--cores", "2", "--quiet", "all"),
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)),
        *("--configfile", str(ROOT / "config.yaml"), str(folder / "settings.yaml")),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: failed")
    return {
        "seconds": time.perf_counter() - start,
        "CPU seconds": usage.ru_utime + usage.ru_stime,
        "MB": usage.ru_maxrss / 1000,
    }


def main() -> None:
    """Make, prepare, time."""
    folder = Path(sys.argv[1]).resolve()
    makers = {"ave": make_ave, "ucf51": make_ucf51, "kinetics_sounds": make_kinetics}
    found = []
    for name, make in makers.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "settings.yaml").write_text(yaml.safe_dump({"datasets": {name: make(place)}}))
        splits = {"ave": "official", "ucf51": "split01", "kinetics_sounds": "ks32"}
        snakemake(place, f"data/{name}/{splits[name]}.csv")
        for manifest in {"ave": ["single_label"], "ucf51": ["split02", "split03"]}.get(name, []):
            snakemake(place, f"data/{name}/{manifest}.csv")
        for number in (1, 2):
            cost = snakemake(place, f"results/{name}/metrics.json", "-n")
            found.append({"dataset": name, "dry run": number} | cost)
    table = pd.DataFrame(found).round({"seconds": 1, "CPU seconds": 1, "MB": 0})
    print(table.to_string(index=False))
    (ROOT / "benchmarks/full_size.json").write_text(
        json.dumps(table.to_dict("records"), indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
