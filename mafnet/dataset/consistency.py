"""Checks of a manifest as a whole: subsets, classes, and paths that almost match a file."""

import os
from collections.abc import Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import MAX_SHOWN, SUBSETS, Sample, require_subsets
from mafnet.dataset.names import folded_path, spelling
from mafnet.dataset.origin import Origin


def check_samples(samples: Sequence[Sample], path: Path, origin: Origin) -> None:
    """MafnetError if no run could train and evaluate on a manifest.

    path: of the manifest, for messages. The paths of published videos come from their folder and
    are not checked.
    """
    require_subsets(samples, SUBSETS, path)
    _require_classes(samples, path)
    missing = untrained_classes(samples)
    if missing and not origin.untrained:
        raise MafnetError(
            f"{path}: no training sample of class {', '.join(map(repr, missing))}, which has other "
            "samples; give some of its rows the subset train, remove its rows, or set "
            "allow_untrained_classes: true in the entry of the data set"
        )
    if not origin.source:
        _require_paths(samples, path, Path(origin.root))


def untrained_classes(samples: Sequence[Sample]) -> list[str]:
    """The classes that have samples but no training samples, sorted."""
    trained = {sample.label for sample in samples if sample.subset == "train"}
    return sorted({sample.label for sample in samples} - trained)


def _require_classes(samples: Sequence[Sample], path: Path) -> None:
    classes = {sample.label for sample in samples if sample.subset == "train"}
    if len(classes) < 2:
        raise MafnetError(
            f"{path}: all training samples have the label {min(classes)!r}; training needs at "
            "least two classes"
        )


def _require_paths(samples: Sequence[Sample], path: Path, root: Path) -> None:
    """MafnetError for absolute paths outside the root and for paths that almost match a file."""
    videos = dict.fromkeys(sample.video for sample in samples)
    faults = [
        f"video {video!r} is outside the data set's root {root}; give a path below it"
        for video in videos
        if video.startswith("/") and not Path(video).is_relative_to(root.absolute())
    ]
    folder = str(root)  # joining Paths takes ten times as long
    missing = [video for video in videos if not os.path.lexists(os.path.join(folder, video))]
    faults += [
        f"video {spelling(video)} does not exist; did you mean {spelling(found)}?"
        for video, found in near_files(missing, root).items()
    ]
    if faults:
        more = len(faults) - MAX_SHOWN
        tail = [f"and {more} more"] if more > 0 else []
        raise MafnetError("\n  ".join([f"{path}: fix these paths:", *faults[:MAX_SHOWN], *tail]))


def near_files(videos: Sequence[str], root: Path) -> dict[str, str]:
    """For missing videos, the file with almost the same path: other blanks, slashes, case, form.

    Unicode forms of a name count as the same. Hidden folders are not searched.
    """
    wanted = {folded_path(video): video for video in videos}
    found: dict[str, str] = {}
    if not wanted:
        return found
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        base = os.path.relpath(folder, root)
        for name in names:
            file = os.path.normpath(os.path.join(base, name))
            if (video := wanted.get(folded_path(file))) and not name.startswith("."):
                found[video] = file
    return found
