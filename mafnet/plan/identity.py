"""Tells a video that was replaced from one that was only touched, without reading every file."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mafnet.common.files import sha256_of, write_json
from mafnet.video.media import Media


class Seen(NamedTuple):
    """A file as it was last looked at.

    size: bytes.
    mtime_ns: time of its last change.
    since_ns: that time when these bytes were first seen.
    sha256: of the bytes, empty until it was needed.
    """

    size: int
    mtime_ns: int
    since_ns: int
    sha256: str


def identities(
    root: Path, videos: Iterable[str], memo: Path, probed: Callable[[], Mapping[str, Media]]
) -> list[str]:
    """`video:size:time` of each video; another text only if its bytes are others.

    A file whose time is new is read, once, and compared with what probing saw.
    memo: JSON file that keeps what was seen between calls; it may be deleted at any time.
    probed: gives the rows of earlier media tables; called only if a file's time is new.
    """
    before = _load(memo)
    now = {video: _look(root / video, before.get(video), video, probed) for video in videos}
    # What is absent for the moment is remembered, in case it comes back as it was.
    kept = before | {video: seen for video, seen in now.items() if seen}
    if kept != before:
        # What cannot be kept is looked at again; a run must not fail for that.
        with contextlib.suppress(OSError):
            write_json(kept, memo)
    return [
        f"{video}:{seen.size}:{seen.since_ns}" if seen else f"{video}:absent"
        for video, seen in now.items()
    ]


def _look(
    path: Path, before: Seen | None, video: str, probed: Callable[[], Mapping[str, Media]]
) -> Seen | None:
    """A file as it is now, None if it is absent."""
    try:
        status = path.stat()
    except OSError:
        return None
    size, mtime = status.st_size, status.st_mtime_ns
    if before and (before.size, before.mtime_ns) == (size, mtime):
        return before
    if before and before.size == size:
        sha256 = before.sha256 or _probed_sha256(probed().get(video), before)
        if sha256 and sha256_of(path) == sha256:
            return Seen(size, mtime, before.since_ns, sha256)
    return Seen(size, mtime, mtime, "")


def _probed_sha256(row: Media | None, before: Seen) -> str:
    """The digest of the bytes that were seen before, empty where probing did not read those."""
    return row.sha256 if row and row.mtime_ns == before.mtime_ns else ""


def _load(memo: Path) -> dict[str, Seen]:
    """What was seen before; nothing where there is no memo that can be read."""
    try:
        return {video: Seen(*seen) for video, seen in json.loads(memo.read_text()).items()}
    except (OSError, ValueError, TypeError):
        return {}
