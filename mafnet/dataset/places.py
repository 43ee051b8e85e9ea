"""The conventional place of a published data set's files: data/{dataset}/."""

from dataclasses import dataclass
from pathlib import Path

from mafnet.dataset.sources.base import Source

ARCHIVES = "archives"
"""Folder of archives and lists, or of lists of addresses, for every source."""


@dataclass(frozen=True)
class Place:
    """Where the files of a data set are; as the keys of the same names in the config.

    archive, folder: exactly one of them is not empty.
    lists: folder or zip file of the lists; empty if they are with the videos.
    missing: what to fetch and where to put it; empty if the files are there.
    """

    archive: str = ""
    folder: str = ""
    lists: str = ""
    missing: str = ""


def find_place(dataset: str, source: Source) -> Place:
    """The files of a data set in data/{dataset}/: its archive, else a folder."""
    home = Path("data", dataset)
    lists = next((str(home / name) for name in source.own_lists if (home / name).exists()), "")
    if source.archive and (home / source.archive).is_file():
        missing = _missing(dataset, source) if source.own_lists and not lists else ""
        return Place(archive=str(home / source.archive), lists=lists, missing=missing)
    if (home / source.folder).is_dir():
        return Place(folder=str(home / source.folder), lists=lists)
    missing = "" if (home / ARCHIVES).is_dir() else _missing(dataset, source)
    return Place(archive=str(home / ARCHIVES), lists=lists, missing=missing)


def _missing(dataset: str, source: Source) -> str:
    """One line: the files, their addresses, and where they belong."""
    return (
        f"{dataset}: its files are not in data/{dataset}; fetch {source.fetch} and put them "
        f"there, or set `archive`, `folder` or `download: true` in datasets.{dataset} "
        "(docs/datasets.md)"
    )
