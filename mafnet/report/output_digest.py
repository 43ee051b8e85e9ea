"""Digests of the source files of pages and figures: the `version` of their rules.

A changed source file reruns its pages or figures. The numbers in them come from their inputs, and
the rules of the inputs have their own versions (mafnet/common/versions.py).
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mafnet.report.captions import FOLDER as CAPTIONS

REPORT = Path(__file__).parent
SUFFIXES = {".py", ".j2", ".css", ".js", ".rst"}

_SHARED = (
    REPORT / "statistics",
    *sorted(path for path in REPORT.glob("*.py") if path.name != "config.py"),
)
"""config.py is left out: a new key of the config must not rerun all pages and figures."""


def page_digest() -> str:
    """Digest of all modules, templates, styles, scripts and captions of the pages."""
    return files_digest([REPORT / "page", CAPTIONS, *_SHARED])


def figures_digest() -> str:
    """Digest of all modules of the figures."""
    return files_digest([REPORT / "figures", *_SHARED])


def files_digest(paths: Iterable[Path]) -> str:
    """16 hexadecimal digits: digest of names and content of files, and of all files in folders."""
    digest = hashlib.sha256()
    for path in paths:
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in found:
            if file.suffix in SUFFIXES:
                name = file.relative_to(path.parent).as_posix()
                digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
