"""Finds the videos of a data set's lists in a folder of any layout."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mafnet.common.ffmpeg import SUFFIXES
from mafnet.dataset.manifest import Sample

log = logging.getLogger(__name__)

CORRECTED = "replacement"
"""Part of the name of a folder whose files are preferred to others of the same name.

The mirror of Kinetics-400 has corrected copies of damaged clips (replacement_for_corrupted_k400).
"""


@dataclass(frozen=True)
class Folder:
    """The videos below a folder.

    files: paths by file name without suffix, each list sorted.
    """

    files: dict[str, list[str]] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """All videos, sorted."""
        return sorted(path for paths in self.files.values() for path in paths)


def list_videos(root: Path) -> Folder:
    """The videos below a folder; empty if it does not exist. Each linked folder is visited once.

    Hidden files are not videos, such as those that macOS writes beside others (`._a.mp4`).
    """
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


def lies_in(path: Path, roots: Iterable[Path]) -> bool:
    """True if a path, with all links followed, is below one of the roots.

    False for links in a circle. A root may be a link itself.
    """
    found = Path(os.path.realpath(path))
    return any(found.is_relative_to(os.path.realpath(root)) for root in roots)


def located(samples: Sequence[Sample], folder: Folder, folded: bool) -> list[Sample]:
    """The samples with the actual paths of their videos; a missing video gets its expected path.

    Files are found by name without suffix, so their folders do not matter.
    folded: if no name matches, a name that differs only in case is used.
    """
    finder = _Finder(folder, folded)
    found = {video: finder.find(video) for video in dict.fromkeys(row.video for row in samples)}
    finder.warn()
    folders = _usual_folders(found)
    return [
        replace(row, video=found[row.video] or _expected(row.video, folders)) for row in samples
    ]


class _Finder:
    """Finds videos by name and collects warnings."""

    def __init__(self, folder: Folder, folded: bool) -> None:
        self._files = folder.files
        self._folded = {name.casefold(): name for name in self._files} if folded else {}
        self._other_case: list[str] = []
        self._several: list[str] = []

    def find(self, video: str) -> str | None:
        """The path of a video; None if it is missing."""
        stem = PurePosixPath(video).stem
        paths = self._files.get(stem) or self._files.get(self._folded.get(stem.casefold(), ""), [])
        suffix = PurePosixPath(video).suffix
        # A preview image (.gif) may lie beside a clip.
        paths = sorted(paths, key=lambda p: (CORRECTED not in p, not p.endswith(suffix), p))
        if len(paths) > 1 and CORRECTED not in paths[0]:
            self._several.append(paths[0])
        if paths and _differs_in_case(paths[0], video):
            self._other_case.append(paths[0])
        return paths[0] if paths else None

    def warn(self) -> None:
        """Log the collected warnings, each with an example."""
        if self._other_case:
            log.warning("%d file names differ from the lists in case only (%s); they are used",
                        len(self._other_case), self._other_case[0])  # fmt: skip
        if self._several:
            log.warning("%d videos exist more than once; the first is used (%s)",
                        len(self._several), self._several[0])  # fmt: skip


def _differs_in_case(path: str, video: str) -> bool:
    """True if the file or its folder differs from the list only in case."""
    for found, listed in zip(reversed(PurePosixPath(path).with_suffix("").parts),
                             reversed(PurePosixPath(video).with_suffix("").parts),
                             strict=False):  # fmt: skip
        if found != listed and found.casefold() == listed.casefold():
            return True
    return False


def _usual_folders(found: dict[str, str | None]) -> dict[str, str]:
    """For each folder in the lists, the actual folder of most of its videos."""
    folders: dict[str, Counter] = {}
    for video, path in found.items():
        if path:
            parent = str(PurePosixPath(video).parent)
            folders.setdefault(parent, Counter())[str(PurePosixPath(path).parent)] += 1
    return {parent: counter.most_common(1)[0][0] for parent, counter in folders.items()}


def _expected(video: str, folders: dict[str, str]) -> str:
    """The expected path of a missing video."""
    path = PurePosixPath(video)
    return str(PurePosixPath(folders.get(str(path.parent), str(path.parent))) / path.name)


def missing_videos(samples: Iterable[Sample], root: Path) -> list[str]:
    """The missing videos of the samples, sorted."""
    videos = {sample.video for sample in samples}
    return sorted(video for video in videos if not (root / video).is_file())
