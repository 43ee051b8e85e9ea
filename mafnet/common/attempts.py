"""Errors of a user are not repeated: a retry of the same command ends with the first message.

Snakemake retries every failed job. That helps if memory or time ran out, or if a node failed. An
error in the data or the settings would only occur again, perhaps hours later.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of

ATTEMPT = "MAFNET_ATTEMPT"
"""Environment variable: the number of the attempt, from 1. The workflow sets it in cluster jobs."""
FOLDER = Path(".snakemake/mafnet/errors")
"""The messages of failed first attempts, in files named by the command."""


def refuse_repetition(command: Sequence[str]) -> None:
    """In a retry, raise the recorded MafnetError of the same command; forget it before."""
    record = _record(command)
    if os.environ.get(ATTEMPT) in (None, "", "1"):
        with suppress(OSError):
            record.unlink(missing_ok=True)
    elif record.exists():
        message = record.read_text(encoding="utf-8", errors="surrogateescape")
        raise MafnetError(f"{message} (the error of the first attempt; it is not tried again)")


def record_error(command: Sequence[str], error: MafnetError) -> None:
    """Record the error of a cluster job for its retry."""
    if os.environ.get(ATTEMPT):
        # Without the record the retry only fails again, so this is no error.
        with suppress(OSError):
            FOLDER.mkdir(parents=True, exist_ok=True)
            _record(command).write_text(str(error), encoding="utf-8", errors="surrogateescape")


def _record(command: Sequence[str]) -> Path:
    return FOLDER / f"{digest_of(list(command))[:16]}.txt"
