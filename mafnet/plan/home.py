"""The user's cache folder, in which Snakemake stores its sources."""

import os
from pathlib import Path


def snakemake_home() -> tuple[bool, str]:
    """True and the folder if it can be written; else Snakemake ends before it reads a Snakefile."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    folder = Path(home) / "snakemake"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        good = os.access(folder, os.W_OK)
    except OSError:
        good = False
    what = f"{folder} cannot be written; set XDG_CACHE_HOME to a folder that can"
    return good, str(folder) if good else what
