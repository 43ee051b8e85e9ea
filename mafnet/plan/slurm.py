"""Facts about jobs that only Slurm knows: leftover jobs, and kills for memory."""

import getpass
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mafnet.common.errors import MafnetError

MEMORY_RAN_OUT = re.compile(r"exceeded (job )?memory limit|oom.?kill|out of memory", re.IGNORECASE)
"""Slurm's messages with accounting by process and with cgroups, and the job state OUT_OF_MEMORY."""


def refuse_second_jobs(directory: Path) -> None:
    """MafnetError if Slurm still has jobs of a killed Snakemake in this directory."""
    jobs = _jobs_of(directory)
    if jobs:
        raise MafnetError(
            f"{len(jobs)} jobs of an earlier snakemake in {directory} are still in Slurm; wait "
            f"until they end, or cancel them: scancel {' '.join(jobs)}"
        )


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
