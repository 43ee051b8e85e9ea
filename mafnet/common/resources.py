"""Files of the project that are not Python: tables, lists, config.yaml, the workflow.

In a checkout they are beside the package. In a wheel they are in the folder `_share` of the package
(hatch_build.py).
"""

import csv
from pathlib import Path

from mafnet.common.errors import MafnetError

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = PACKAGE / "_share"
SHARED = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent
"""The folder that contains all names of NEEDED."""

NEEDED = ("Snakefile", "config.yaml", "envs", "profiles", "resources", "workflow")


def missing() -> list[str]:
    """The names of NEEDED that are not in SHARED."""
    return [name for name in NEEDED if not (SHARED / name).exists()]


def resource(name: str) -> Path:
    """The path of a file in resources/; MafnetError if it is missing.

    The path is relative if the checkout is in the working folder. So a checkout that is moved with
    its results keeps these paths, and nothing reruns.
    """
    path = SHARED / "resources" / name
    if not path.is_file():
        raise MafnetError(f"{path}: is missing; install mafnet again, or run it from a checkout")
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def table(name: str) -> list[dict[str, str]]:
    """The rows of a tab-separated table in resources/."""
    with resource(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
