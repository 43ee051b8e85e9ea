"""Errors of a user are not repeated: a job that ended with one is not tried again.

Snakemake retries every failed job. That helps if memory or time ran out, or if a node failed. An
error in the data or the settings would only occur again, perhaps hours later. So a cluster job
records it, `mafnet/plan/jobs.py` reads the records, and where the record arrives too late, on a
slow file system, the retry ends at once.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of

JOBS = "MAFNET_JOBS"
"""Environment variable: what a cluster job makes, in lines, as --target-jobs of Snakemake."""
FOLDER = Path(".snakemake/mafnet/errors")
"""The messages of failed jobs, in files named by the job."""


def refuse_repetition() -> None:
    """In a retry, raise the MafnetError that the job has recorded."""
    for message in recorded_errors(_own_jobs()):
        raise MafnetError(f"{message} (the error of the first attempt; it is not tried again)")


def record_error(error: MafnetError) -> None:
    """Record the error of a cluster job."""
    for job in _own_jobs():
        # Without the record the retry only fails again, so this is no error.
        with suppress(OSError):
            FOLDER.mkdir(parents=True, exist_ok=True)
            _record(job).write_text(str(error), encoding="utf-8", errors="surrogateescape")


def recorded_errors(jobs: Iterable[str]) -> Iterator[str]:
    """The messages that some jobs have recorded."""
    for job in jobs:
        with suppress(OSError):
            yield _record(job).read_text(encoding="utf-8", errors="surrogateescape")


def forget_errors() -> None:
    """Remove all records: a new command tries everything again."""
    shutil.rmtree(FOLDER, ignore_errors=True)


def _own_jobs() -> list[str]:
    return os.environ.get(JOBS, "").splitlines()


def _record(job: str) -> Path:
    return FOLDER / f"{digest_of(job)[:16]}.txt"
