"""Where the videos that a data set's lists name lie in a folder, whatever its layout."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mafnet.dataset.manifest import Sample

log = logging.getLogger(__name__)

CORRECTED = "replacement"
"""In the name of a folder whose files are to be taken before others of the same name.

Kinetics-400's mirror ships clips anew that were damaged (replacement_for_corrupted_k400).
"""

SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".webm", ".mov", ".flv", ".3gp"})
"""Files that count as videos; a copy of a data set may have been converted."""


@dataclass(frozen=True)
class Folder:
    """The videos below a folder.

    files: paths by file name without its suffix, each list sorted.
    """

    files: dict[str, list[str]] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """All videos, sorted."""
        return sorted(path for paths in self.files.values() for path in paths)


def list_videos(root: Path) -> Folder:
    """The videos below a folder; none where there is no folder. Links are followed, once."""
    files: dict[str, list[str]] = {}
    seen: set[str] = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        inner[:] = [] if real in seen else sorted(n for n in inner if not n.startswith("."))
        names = [] if real in seen else names
        seen.add(real)
        base = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in SUFFIXES and not name.startswith("."):
                files.setdefault(stem, []).append(str(base / name))
    return Folder(files)


def located(samples: Sequence[Sample], folder: Folder, folded: bool) -> list[Sample]:
    """The samples with their videos' real paths; a missing one has the path it would have.

    Files are found by their names without suffix, so that it does not matter which folders lie
    above them. folded: where no name fits, one that differs in case only is taken.
    """
    finder = _Finder(folder, folded)
    found = {video: finder.find(video) for video in dict.fromkeys(row.video for row in samples)}
    finder.warn()
    places = _usual_places(found)
    return [replace(row, video=found[row.video] or _expected(row.video, places)) for row in samples]


class _Finder:
    """Looks names up and remembers what was odd."""

    def __init__(self, folder: Folder, folded: bool) -> None:
        self._files = folder.files
        self._folded = {name.casefold(): name for name in self._files} if folded else {}
        self._other_case: list[str] = []
        self._several: list[str] = []

    def find(self, video: str) -> str | None:
        """The path of a video, None if it is missing."""
        stem = PurePosixPath(video).stem
        paths = self._files.get(stem) or self._files.get(self._folded.get(stem.casefold(), ""), [])
        paths = sorted(paths, key=lambda path: (CORRECTED not in path, path))
        if len(paths) > 1 and CORRECTED not in paths[0]:
            self._several.append(paths[0])
        if paths and _differs_in_case(paths[0], video):
            self._other_case.append(paths[0])
        return paths[0] if paths else None

    def warn(self) -> None:
        """Say what was odd, with an example of each."""
        if self._other_case:
            log.warning("%d videos are spelt with other capitals than in the lists (%s); taken",
                        len(self._other_case), self._other_case[0])  # fmt: skip
        if self._several:
            log.warning("%d videos are there more than once; the first is taken (%s)",
                        len(self._several), self._several[0])  # fmt: skip


def _differs_in_case(path: str, video: str) -> bool:
    """True if the file or its folder has the list's name, but for case."""
    for found, listed in zip(reversed(PurePosixPath(path).with_suffix("").parts),
                             reversed(PurePosixPath(video).with_suffix("").parts),
                             strict=False):  # fmt: skip
        if found != listed and found.casefold() == listed.casefold():
            return True
    return False


def _usual_places(found: dict[str, str | None]) -> dict[str, str]:
    """For each folder that the lists name, the one in which most of its videos were found."""
    places: dict[str, Counter] = {}
    for video, path in found.items():
        if path:
            parent = str(PurePosixPath(video).parent)
            places.setdefault(parent, Counter())[str(PurePosixPath(path).parent)] += 1
    return {parent: counter.most_common(1)[0][0] for parent, counter in places.items()}


def _expected(video: str, places: dict[str, str]) -> str:
    """Where a missing video would be looked for."""
    path = PurePosixPath(video)
    return str(PurePosixPath(places.get(str(path.parent), str(path.parent))) / path.name)


def missing_videos(samples: Iterable[Sample], root: Path) -> list[str]:
    """The videos of the samples that are not there, sorted."""
    videos = {sample.video for sample in samples}
    return sorted(video for video in videos if not (root / video).is_file())
