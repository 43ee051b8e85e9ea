"""Detects replaced videos without reading every file; a new modification time is not enough."""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mafnet.common.files import sha256_of, write_json
from mafnet.video.media import Media


class FileState(NamedTuple):
    """The state of a file at the last check.

    size: bytes.
    mtime_ns: modification time.
    since_ns: modification time when this content was first seen.
    sha256: digest of the content; empty until it is needed.
    """

    size: int
    mtime_ns: int
    since_ns: int
    sha256: str


def identities(
    root: Path, videos: Iterable[str], memo: Path, probed: Callable[[], Mapping[str, Media]]
) -> list[str]:
    """The identity `video:size:time` of each video; it changes only if the content changes.

    A file with a new modification time is read once and compared with its digest from probing.
    memo: JSON file with the results of earlier calls; it may be deleted at any time.
    probed: returns the rows of earlier media tables; called only if a modification time is new.
    """
    before = _load(memo)
    folder = str(root)  # joining Paths takes ten times as long
    now = {
        video: _check(os.path.join(folder, video), before.get(video), video, probed)
        for video in videos
    }
    # An absent file keeps its entry, because it may come back unchanged.
    kept = before | {video: state for video, state in now.items() if state}
    if kept != before:
        # Without the memo the next call only checks the files again, so this is no error.
        with contextlib.suppress(OSError):
            write_json(kept, memo)
    return [
        f"{video}:{state.size}:{state.since_ns}" if state else f"{video}:absent"
        for video, state in now.items()
    ]


def _check(
    path: str, before: FileState | None, video: str, probed: Callable[[], Mapping[str, Media]]
) -> FileState | None:
    """The present state of a file; None if it is absent."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    size, mtime = status.st_size, status.st_mtime_ns
    if before and (before.size, before.mtime_ns) == (size, mtime):
        return before
    if before and before.size == size:
        sha256 = before.sha256 or _probed_sha256(probed().get(video), before)
        if sha256 and sha256_of(Path(path)) == sha256:
            return FileState(size, mtime, before.since_ns, sha256)
    return FileState(size, mtime, mtime, "")


def _probed_sha256(row: Media | None, before: FileState) -> str:
    """The digest of the earlier content; empty if the file was probed in another state."""
    return row.sha256 if row and row.mtime_ns == before.mtime_ns else ""


def _load(memo: Path) -> dict[str, FileState]:
    """The results of earlier calls; empty if the memo is missing or damaged."""
    try:
        return {video: FileState(*state) for video, state in json.loads(memo.read_text()).items()}
    except (OSError, ValueError, TypeError):
        return {}
