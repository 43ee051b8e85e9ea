"""Compare mafnet with the plain way, stage by stage and end to end, in one run.

    make bench
    python -m benchmarks.bench --quick --compare OLD.json

Each way of a stage runs in its own process and is warmed up. The processes take turns, so that
other load on the machine affects all of them alike. README.md explains the table.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks.inputs import Inputs
from benchmarks.measured import measure
from benchmarks.prepare import prepare
from benchmarks.ratios import about, compared, summary
from benchmarks.stages import STAGES
from benchmarks.tables import console, show_comparison, show_stage
from mafnet.features.backends import BACKENDS

SIZES = {
    "full": {"seconds": 10, "videos": 2, "batch": 32, "rounds": 3},
    "quick": {"seconds": 2, "videos": 1, "batch": 4, "rounds": 1},
}
OUTPUT = Path(__file__).with_name("results.json")

QUIET = 0.5
"""The machine counts as idle below this load, in cores."""

existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--quick", is_flag=True, help="Tiny sizes and one round: only a check that everything runs."
)
@click.option(
    "--rounds", type=click.IntRange(1), help="Rounds of each stage; cheap stages take more."
)
@click.option(
    "--videos", type=click.IntRange(1), help="Number of videos that are extracted end to end."
)
@click.option(
    "--threads", type=click.IntRange(1), default=min(2, os.cpu_count()), show_default=True,
    help="Cores that each way may use.",
)  # fmt: skip
@click.option(
    "--backend", type=click.Choice(BACKENDS), default="auto", show_default=True,
    help="Backend of our features, as in features.*.backend.",
)  # fmt: skip
@click.option(
    "--stage", "stages", type=click.Choice(list(STAGES)), multiple=True,
    help="Run only this stage; can be repeated.",
)  # fmt: skip
@click.option("--compare", type=existing, help="Results of an earlier run to compare with.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=OUTPUT,
    help="JSON file to write; by default benchmarks/results.json.",
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
    """Measure, show, write the results; exit 1 if the results of two ways differ too much."""
    given = {"rounds": rounds, "videos": videos}
    sizes = SIZES["quick" if quick else "full"] | {k: v for k, v in given.items() if v}
    baseline = json.loads(compare.read_text()) if compare else None
    found = run(sizes | {"threads": threads, "backend": backend}, stages or tuple(STAGES))
    output.write_text(json.dumps(found, indent=1) + "\n")
    if baseline:
        show_comparison(compared(found, baseline), found, baseline)
    sys.exit(int(_disagree(found)))


def run(settings: dict, stages: tuple[str, ...]) -> dict:
    """Measure the stages and show each table; return what is written to JSON."""
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])  # read by numpy and torch
    sizes = {key: value for key, value in settings.items() if key != "rounds"}
    start = time.monotonic()
    found = about(settings["backend"]) | {"settings": settings, "stages": []}
    if (load := found["machine"]["load_before"]) > QUIET:
        console.print(
            f"[yellow]load {load}: other programs use the cores, which slows the plain way down "
            "more than mafnet (README.md)[/]"
        )
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(Path(folder), **sizes)
        console.print(f"Making inputs: {', '.join(f'{k} {v}' for k, v in sizes.items())} ...")
        _prepare_in_a_process(inputs)
        for name in stages:
            costs, results = measure(STAGES[name], inputs, settings["rounds"])
            found["stages"].append(summary(STAGES[name], costs, results))
            show_stage(found["stages"][-1])
    return found | {"seconds": round(time.monotonic() - start, 1)}


def _prepare_in_a_process(inputs: Inputs) -> None:
    """Make the inputs in another process: that imports torch, and this one must stay small."""
    process = multiprocessing.get_context("spawn").Process(target=prepare, args=(inputs,))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("bench: the inputs could not be made; see the error above")


def _disagree(found: dict) -> bool:
    ways = (way for stage in found["stages"] for way in stage["ways"].values())
    return any(way.get("agrees") is False for way in ways)


if __name__ == "__main__":
    main()
