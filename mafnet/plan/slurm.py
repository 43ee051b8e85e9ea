"""Facts about jobs that only Slurm knows: leftover jobs, and kills for memory."""

import getpass
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mafnet.common.errors import MafnetError

SECONDS_BETWEEN = 10.0
"""Between two questions to Slurm about jobs of an earlier Snakemake."""

MEMORY_RAN_OUT = re.compile(r"exceeded (job )?memory limit|oom.?kill|out of memory", re.IGNORECASE)
"""Slurm's messages with accounting by process and with cgroups, and the job state OUT_OF_MEMORY."""


def await_leftover_jobs(directory: Path, warn: Callable[[str], None]) -> bool:
    """Wait until Slurm has no jobs of a killed Snakemake in this directory; False if it has none.

    They go on without their Snakemake, and what they make is complete. MafnetError without Slurm.
    """
    jobs = _jobs_of(directory)
    if not jobs:
        return False
    warn(
        f"{len(jobs)} jobs of an earlier snakemake in {directory} are in Slurm. Waiting until "
        f"they end. To submit them again instead, cancel them: scancel {' '.join(jobs)}"
    )
    while _jobs_of(directory):
        time.sleep(SECONDS_BETWEEN)
    return True


def _jobs_of(directory: Path) -> list[str]:
    """The ids of the user's waiting and running jobs that Snakemake submitted from a directory.

    The comment of such a job begins with `rule_`. A job that runs Snakemake itself has another
    comment.
    """
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i|%k|%Z"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MafnetError(
            f"`{' '.join(command)}` failed; check that Slurm works here: {error}"
        ) from error
    rows = (line.split("|", maxsplit=2) for line in lines.splitlines())
    return [
        job
        for job, comment, folder in rows
        if comment.startswith("rule_") and folder == str(directory)
    ]


def memory_kills(logs: Path, since: float) -> Iterator[str]:
    """A message for each job that Slurm killed because it used more memory than requested.

    logs: folder of Slurm's logs of failed jobs: {rule}/{wildcards}/{job}.log.
    since: time in seconds since 1970; older logs are ignored.
    """
    for path in sorted(logs.rglob("*.log")):
        if path.stat().st_mtime < since or not MEMORY_RAN_OUT.search(path.read_text()):
            continue
        rule = path.relative_to(logs).parts[0].removeprefix("rule_").removeprefix("group_")
        yield (
            f"Slurm killed job {path.stem} ({rule}), because its memory ran out. A retry requests "
            "more memory; to request more at once, pass --set-resources RULE:mem_mb=MEGABYTES"
        )
