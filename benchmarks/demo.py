"""What a finished demo cost: seconds, CPU and peak memory by rule, and of asking for nothing to do.

    make demo && .venv/bin/python benchmarks/demo.py

The figures of the rules are Snakemake's own (logs/*/*/*.benchmark.tsv); the dry run is timed here,
five times. Prints a table and writes benchmarks/demo.json.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
TARGETS = ("results/demo/summary.html", "results/demo/studies/modalities.csv")
DRY_RUNS = 5


def rules(run: Path = ROOT) -> pd.DataFrame:
    """One row a rule of a run: jobs, seconds (sum and longest), CPU seconds, peak resident MB."""
    tables = []
    for path in sorted(run.glob("logs/*/*/demo*.benchmark.tsv")):
        table = pd.read_csv(path, sep="\t")
        tables.append(table.assign(stage=path.parts[-3], rule=path.parts[-2]))
    if not tables:
        sys.exit("no logs of a demo; run `make demo` first")
    jobs = pd.concat(tables)
    for column in ("s", "cpu_time", "max_rss"):
        jobs[column] = pd.to_numeric(jobs[column], errors="coerce")
    return jobs.groupby(["stage", "rule"], sort=False).agg(
        jobs=("s", "size"),
        seconds=("s", "sum"),
        longest=("s", "max"),
        cpu_seconds=("cpu_time", "sum"),
        peak_mb=("max_rss", "max"),
    )


def dry_run_seconds() -> list[float]:
    """Wall seconds of `snakemake -n` where nothing is to be done."""
    command = [sys.executable, "-m", "snakemake", "-n", *TARGETS]
    taken = []
    for _ in range(DRY_RUNS):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        taken.append(time.perf_counter() - start)
        if "Nothing to be done" not in done.stdout + done.stderr:
            sys.exit("the demo is not finished; run `make demo` first")
    return taken


def main() -> None:
    """Print and write the figures."""
    table, dry = rules().round(1), dry_run_seconds()
    print(table.to_string())
    print(f"\nnothing to do: {statistics.median(dry):.2f} s (median of {DRY_RUNS})")
    result = {"rules": json.loads(table.reset_index().to_json(orient="records")), "dry_run_s": dry}
    (ROOT / "benchmarks/demo.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
