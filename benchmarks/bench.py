"""Our pipeline against the plain way, stage by stage and end to end, in one run.

    make bench
    .venv/bin/python benchmarks/bench.py --quick --compare OLD.json

Each way of a stage has a process of its own, warmed up; they take turns, so that what else the
machine does meets all alike. README.md beside this says how to read the table.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import click
from inputs import Inputs, prepare
from measured import measure
from ratios import about, compared, summary
from shown import console, show_comparison, show_stage
from stages import STAGES

from mafnet.features.backends import BACKENDS

SIZES = {
    "full": {"seconds": 10, "videos": 2, "batch": 32, "rounds": 3},
    "quick": {"seconds": 2, "videos": 1, "batch": 4, "rounds": 1},
}
OUTPUT = Path(__file__).with_name("results.json")

QUIET = 0.5
"""Load, in cores, below which a machine is quiet."""

existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--quick", is_flag=True, help="Tiny sizes, one round: to see that it runs.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds a stage; cheap ones take more.")
@click.option("--videos", type=click.IntRange(1), help="Videos that are extracted end to end.")
@click.option(
    "--threads", type=click.IntRange(1), default=min(2, os.cpu_count()), show_default=True,
    help="Cores that either way may use.",
)  # fmt: skip
@click.option(
    "--backend", type=click.Choice(BACKENDS), default="auto", show_default=True,
    help="What computes our features, as features.*.backend.",
)  # fmt: skip
@click.option(
    "--stage", "stages", type=click.Choice(list(STAGES)), multiple=True,
    help="Only this stage; may be given again.",
)  # fmt: skip
@click.option("--compare", type=existing, help="Results of another run to compare with.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=OUTPUT,
    help="JSON file to write, benchmarks/results.json by default.",
)  # fmt: skip
def main(
    quick: bool,
    rounds: int | None,
    videos: int | None,
    threads: int,
    backend: str,
    stages: tuple[str, ...],
    compare: Path | None,
    output: Path,
) -> None:
    """Measure, show, write; exits with 1 if two ways that should agree do not."""
    given = {"rounds": rounds, "videos": videos}
    sizes = SIZES["quick" if quick else "full"] | {k: v for k, v in given.items() if v}
    baseline = json.loads(compare.read_text()) if compare else None
    found = run(sizes | {"threads": threads, "backend": backend}, stages or tuple(STAGES))
    output.write_text(json.dumps(found, indent=1) + "\n")
    if baseline:
        show_comparison(compared(found, baseline), found, baseline)
    sys.exit(int(_disagree(found)))


def run(settings: dict, stages: tuple[str, ...]) -> dict:
    """Everything that is written to JSON; stages are shown as they are done."""
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])  # read by numpy and torch
    sizes = {key: value for key, value in settings.items() if key != "rounds"}
    start = time.monotonic()
    found = about(settings["backend"]) | {"settings": settings, "stages": []}
    if (load := found["machine"]["load_before"]) > QUIET:
        console.print(
            f"[yellow]load {load}: others use the cores, which flatters us (README.md)[/]"
        )
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(Path(folder), **sizes)
        console.print(f"Making inputs: {', '.join(f'{k} {v}' for k, v in sizes.items())} ...")
        _in_process_of_its_own(inputs)
        for name in stages:
            costs, results = measure(STAGES[name], inputs, settings["rounds"])
            found["stages"].append(summary(STAGES[name], costs, results))
            show_stage(found["stages"][-1])
    return found | {"seconds": round(time.monotonic() - start, 1)}


def _in_process_of_its_own(inputs: Inputs) -> None:
    """Make the inputs without importing torch here: this process stays small."""
    process = multiprocessing.get_context("spawn").Process(target=prepare, args=(inputs,))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("the inputs could not be made; the reason is above")


def _disagree(found: dict) -> bool:
    ways = (way for stage in found["stages"] for way in stage["ways"].values())
    return any(way.get("agrees") is False for way in ways)


if __name__ == "__main__":
    main()
