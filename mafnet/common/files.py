"""Atomic writing of files, JSON and digests."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mafnet.common.errors import MafnetError
from mafnet.common.temporary import sweep, temporary_name


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden temporary file beside `path`; it replaces `path` if the block succeeds.

    No other writer has its name. Remains of killed processes in the folder are removed, once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent.resolve())
    beside = path.with_name(f".{temporary_name()}.tmp")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@cache
def _sweep_once(folder: Path) -> None:
    """Sweep a folder when this process first writes into it; later its listing would cost time."""
    sweep(folder)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: object) -> str:
    """The JSON text of a value for digests: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(value: object) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def write_json(value: object, path: Path) -> None:
    """Write a value as indented JSON, atomically."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Read a JSON file; MafnetError names the file if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MafnetError(f"{path}: cannot be read as JSON ({error})") from error
