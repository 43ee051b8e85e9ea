"""Finds the videos and labels of people's own data: a folder for each class, or a table."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mafnet.common.errors import MafnetError
from mafnet.dataset.locate import list_videos
from mafnet.dataset.manifest import GROUP, MAX_SHOWN
from mafnet.dataset.names import look_alikes, name_faults, path_faults, spelling
from mafnet.dataset.spreadsheet import read_table

FOLDER = "folder"
"""The value of `--group` that takes the folder of a file as its group."""

COLUMNS = ("file", "label")
SUBSET_FOLDERS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


@dataclass(frozen=True)
class Labelled:
    """A video with its label.

    video: path below the root, with forward slashes.
    group: what it has in common with others, such as a person; empty if nothing.
    """

    video: str
    label: str
    group: str = ""


def find_labelled(source: Path, group: str) -> tuple[Path, list[Labelled], list[str]]:
    """The root of a collection, its labelled videos, and notes on what was left out.

    source: a folder with one folder for each class, or a CSV file with the columns of COLUMNS and
        maybe `group`, whose files are below its folder.
    group: "", FOLDER, or a regular expression that is searched in each path; its first bracket, or
        else all that it matches, is the group.
    MafnetError if there are not at least two classes with clear labels.
    """
    pattern = _pattern(group)
    if source.is_dir():
        root = source
        rows, notes = _of_folders(source, bool(group))
    else:
        root, notes = source.parent, []
        rows = _of_table(source)
    rows, unwritable = _writable(rows)
    if unwritable:
        notes.append(f"files whose names are not Unicode text: {unwritable}; rename them")
    _require_labels(rows, source)
    if group:
        rows = [replace(row, group=_group(row.video, pattern)) for row in rows]
        if not any(row.group for row in rows):
            raise MafnetError(f"--group {group!r} is in the path of no video, e.g. {rows[0].video}")
    return root, rows, notes


def _pattern(group: str) -> re.Pattern | None:
    """The regular expression; None for FOLDER and for no groups."""
    if group in ("", FOLDER):
        return None
    try:
        return re.compile(group)
    except re.error as error:
        raise MafnetError(f"--group {group!r} is not a regular expression ({error})") from error


def _group(video: str, pattern: re.Pattern | None) -> str:
    if pattern is None:
        return str(PurePosixPath(video).parent)
    found = pattern.search(video)
    return (found[1] if pattern.groups else found[0]) or "" if found else ""


def _of_folders(root: Path, grouped: bool) -> tuple[list[Labelled], list[str]]:
    """The videos of the class folders; inner folders need to be groups."""
    paths = [PurePosixPath(path) for path in list_videos(root).paths]
    if not paths:
        raise MafnetError(f"{root}: no file in it has a suffix of a video; name another folder")
    inside = [path for path in paths if len(path.parts) > 1]
    loose = len(paths) - len(inside)
    if not inside:
        raise MafnetError(
            f"{root}: its {loose} videos are not in folders; make one folder for each class, or "
            f"give a CSV file with the columns {','.join(COLUMNS)}"
        )
    tops = {path.parts[0] for path in inside}
    if {top.casefold() for top in tops} <= SUBSET_FOLDERS:
        raise MafnetError(
            f"{root}: the folders {', '.join(sorted(tops))} are subsets, not classes; write the "
            "manifest yourself (README.md, A manifest of your own), or give a folder for each "
            "class"
        )
    nested = next((path for path in inside if len(path.parts) > 2), None)
    if nested and not grouped:
        raise MafnetError(
            f"{root}: {nested} is in a folder inside the folder of class {nested.parts[0]!r}; if "
            "the inner folders are recordings, persons or places, add --group folder; if they "
            f"are classes, give a CSV file with the columns {','.join(COLUMNS)}"
        )
    notes = [f"videos that are not in the folder of a class: {loose}"] if loose else []
    return [Labelled(str(path), path.parts[0]) for path in inside], notes


def _of_table(path: Path) -> list[Labelled]:
    """The rows of a table, each once; MafnetError lists the wrong ones."""
    rows, problems = {}, []
    for number, row in read_table(path, COLUMNS, ()):
        if row is None:
            problems.append(f"row {number}: has more or fewer fields than the header")
            continue
        video = _below(row["file"].strip(), path.parent)
        faults = path_faults(video) if video else ["file is empty"]
        problems += [f"row {number}: {fault}" for fault in faults]
        rows[Labelled(video, row["label"].strip(), (row.get(GROUP) or "").strip())] = None
    if problems:
        raise MafnetError("\n  ".join([f"{path}: fix these rows:", *problems[:MAX_SHOWN]]))
    return list(rows)


def _below(file: str, root: Path) -> str:
    """A path relative to the root, if it is an absolute path below it."""
    absolute = Path(file).is_absolute() and Path(file).is_relative_to(root.absolute())
    return Path(file).relative_to(root.absolute()).as_posix() if absolute else file


def _writable(rows: Iterable[Labelled]) -> tuple[list[Labelled], int]:
    """The rows whose texts can be written as UTF-8, and the number of the others."""
    rows = list(rows)
    good = [row for row in rows if _encodes(row)]
    return good, len(rows) - len(good)


def _encodes(row: Labelled) -> bool:
    try:
        (row.video + row.label + row.group).encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_labels(rows: Sequence[Labelled], source: Path) -> None:
    """MafnetError unless there are two or more labels that people and files can tell apart."""
    labels = sorted({row.label for row in rows})
    faults = [fault for label in labels for fault in name_faults("label", label)]
    faults += ["a label is empty"] if "" in labels else []
    faults += [
        f"label {spelling(label)} looks like {spelling(other)}; use one spelling"
        for label, other in look_alikes(labels).items()
    ]
    if faults:
        raise MafnetError("\n  ".join([f"{source}: fix these labels:", *faults[:MAX_SHOWN]]))
    if len(labels) < 2:
        named = f"only the class {labels[0]!r}" if labels else "no class"
        raise MafnetError(
            f"{source}: has {named}; a classifier needs at least two, each in a folder of its own "
            f"(in {os.path.join(source, 'CLASS', '')}) or in the column label"
        )
