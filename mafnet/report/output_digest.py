"""Digests of the files that decide how pages and figures look: the `version` of their rules.

A change of such a file reruns its pages or figures. The numbers that they show come from their
inputs, whose rules have versions of their own (mafnet/common/versions.py).
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
"""A new key of the config makes no page or figure again."""


def page_digest() -> str:
    """Another text if a module, template, style, script or caption of the pages changes."""
    return files_digest([REPORT / "page", CAPTIONS, *_SHARED])


def figures_digest() -> str:
    """Another text if a module of the figures changes."""
    return files_digest([REPORT / "figures", *_SHARED])


def files_digest(paths: Iterable[Path]) -> str:
    """16 hexadecimal digits of the names and bytes of files and of all files below folders."""
    digest = hashlib.sha256()
    for path in paths:
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in found:
            if file.suffix in SUFFIXES:
                name = file.relative_to(path.parent).as_posix()
                digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
