"""What Slurm knows about the jobs of a directory, and Snakemake does not say."""

import getpass
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mafnet.common.errors import MafnetError

MEMORY_RAN_OUT = re.compile(r"exceeded (job )?memory limit|oom.?kill|out of memory", re.IGNORECASE)
"""Slurm's messages: with accounting by process, with cgroups, and the state of a job."""


def refuse_second_jobs(directory: Path) -> None:
    """MafnetError if Slurm still has jobs of a Snakemake in this directory that was killed."""
    jobs = _jobs_of(directory)
    if jobs:
        raise MafnetError(
            f"{len(jobs)} jobs of an earlier snakemake in {directory} are still in Slurm; wait "
            f"until they end, or type: scancel {' '.join(jobs)}"
        )


def _jobs_of(directory: Path) -> list[str]:
    """The ids of this user's waiting and running jobs that a Snakemake submitted from there.

    Their comment begins with `rule_`. A job in which Snakemake itself runs has another one.
    """
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i|%k|%Z"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MafnetError(f"Slurm does not answer to `{' '.join(command)}`: {error}") from error
    rows = (line.split("|", maxsplit=2) for line in lines.splitlines())
    return [
        job
        for job, comment, folder in rows
        if comment.startswith("rule_") and folder == str(directory)
    ]


def memory_kills(logs: Path, since: float) -> Iterator[str]:
    """A message for each job that Slurm killed because it took more memory than it had asked for.

    logs: Slurm's logs of failed jobs, {rule}/{wildcards}/{job}.log, which Snakemake keeps.
    since: only logs that were written after this time, in seconds since 1970.
    """
    for path in sorted(logs.rglob("*.log")):
        if path.stat().st_mtime < since or not MEMORY_RAN_OUT.search(path.read_text()):
            continue
        rule = path.relative_to(logs).parts[0].removeprefix("rule_").removeprefix("group_")
        yield (
            f"Slurm killed job {path.stem} ({rule}), because its memory ran out. "
            "A retry asks for more; to start with more: --set-resources RULE:mem_mb=MEGABYTES"
        )
