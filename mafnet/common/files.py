"""Atomic writing of files, JSON and digests.

A file that a later step reads is sealed: its sha256 is written beside it, as `.{name}.sha256`, and
`require_unchanged` compares it. So a flipped bit is an error and never a wrong number. Files of
versions that wrote no seal are read without this check.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from mafnet.common.errors import MafnetError
from mafnet.common.machine_errors import writing
from mafnet.common.temporary import sweep, temporary_name


@contextmanager
def replacing(path: Path, sealed: bool = False) -> Iterator[Path]:
    """A hidden temporary file beside `path`; it replaces `path` if the block succeeds.

    No other writer has its name. Remains of killed processes in the folder are removed, once.
    sealed: write its seal too. A kill between the two leaves a file without a seal.
    MachineError if the disk does not take the file.
    """
    beside = path.with_name(f".{temporary_name()}.tmp")
    with writing(path, beside):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent.resolve())
        try:
            yield beside
            digest = sha256_of(beside) if sealed else ""
            with suppress(OSError):  # a seal that stays is found when the file is read
                _seal(path).unlink()
            os.replace(beside, path)
            if sealed:
                _seal(path).write_bytes(f"{digest}  ".encode() + os.fsencode(path.name) + b"\n")
        finally:
            beside.unlink(missing_ok=True)


@cache
def _sweep_once(folder: Path) -> None:
    """Sweep a folder when this process first writes into it; later its listing would cost time."""
    sweep(folder)


def require_unchanged(path: Path) -> str:
    """The SHA-256 of a sealed file; MafnetError if it is not as it was written.

    Empty for a file without a complete seal and for a file that does not exist.
    """
    try:
        seal = re.match(rb"[0-9a-f]{64}(?=  )", _seal(path).read_bytes())
    except FileNotFoundError:
        return ""
    if not seal or not path.exists():
        return ""
    digest = sha256_of(path)
    if digest != seal[0].decode():
        raise MafnetError(
            f"{path}: is damaged or was changed after it was written; delete it and run the same "
            f"command again, or delete {_seal(path)} to use the file as it is"
        )
    return digest


def remove(path: Path) -> None:
    """Remove a file and its seal, if they exist."""
    path.unlink(missing_ok=True)
    _seal(path).unlink(missing_ok=True)


def _seal(path: Path) -> Path:
    """The file with the digest of a sealed file, in the format of sha256sum."""
    return path.with_name(f".{path.name}.sha256")


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
    """Write a value as indented JSON, atomically and sealed."""
    with replacing(path, sealed=True) as beside:
        beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Read a JSON file; MafnetError names the file if it is damaged or cannot be read."""
    require_unchanged(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MafnetError(f"{path}: cannot be read as JSON ({error})") from error
