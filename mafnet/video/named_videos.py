"""The videos that a user names: files, folders, patterns, tables, and lists on standard input."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.dataset.locate import list_videos
from mafnet.dataset.spreadsheet import read_table


def named_videos(names: Iterable[str], listed: Iterable[str]) -> list[str]:
    """The paths of the videos that some names stand for, each once, in order.

    A name is a file, a folder (all videos below it), a pattern such as "*.mp4", a table (.csv, with
    a column `video`; its paths begin at the folder of the table), or "-" for the lines of `listed`.
    A file need not exist: probing reports it. MafnetError for a folder, table or list without
    videos.
    """
    return list(dict.fromkeys(video for name in names for video in _videos(name, listed)))


def _videos(name: str, listed: Iterable[str]) -> Iterator[str]:
    """The videos that one name stands for."""
    path = Path(name)
    if name == "-":
        found = [line.rstrip("\r\n") for line in listed]
        yield from _some([line for line in found if line], "standard input")
    elif path.is_dir():
        yield from _some([str(path / video) for video in list_videos(path).paths], name)
    elif path.suffix.lower() == ".csv":
        if not path.is_file():
            raise MafnetError(f"{name}: is no file; give the path of a table with a column video")
        rows = [row for _, row in read_table(path, ("video",), ())]
        if None in rows or not all(row["video"] for row in rows):
            raise MafnetError(f"{name}: has a row without a video or with other fields; fix it")
        yield from _some([str(path.parent / row["video"]) for row in rows], name)
    elif not path.exists() and glob.has_magic(name):
        yield from _some(sorted(glob.glob(name, recursive=True)), name)
    else:
        yield name


def _some(videos: list[str], name: str) -> list[str]:
    """The videos; MafnetError if there is none."""
    if not videos:
        raise MafnetError(f"{name}: no video is there; name files or a folder with videos")
    return videos
