"""The small tables and lists of resources/, beside the package in its checkout."""

import csv
from pathlib import Path

from mafnet.common.errors import MafnetError

FOLDER = Path(__file__).resolve().parents[2] / "resources"


def resource(name: str) -> Path:
    """The path of a file in resources/; MafnetError if the package is without them.

    It is relative where the checkout lies in the working folder: moved together with the results
    that were made from them, resources keep their names, and nothing is made again.
    """
    path = FOLDER / name
    if not path.is_file():
        raise MafnetError(f"{path}: is missing; run mafnet from a checkout of its repository")
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def table(name: str) -> list[dict[str, str]]:
    """The rows of a tab separated table in resources/."""
    with resource(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
