"""Paths for Snakemake: braces, which it takes for fields or wildcards, and dates in the future."""

import shlex
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from mafnet.common.errors import MafnetError

CLOCKS_DIFFER = 10.0
"""Seconds by which the clock of another file system may be ahead."""

MAX_NAMED = 20
"""Largest number of files in a command of a message."""


def without_fields(text: str) -> str:
    """A text that Snakemake formats: its braces are doubled."""
    return text.replace("{", "{{").replace("}", "}}")


def without_wildcards(path: Path, folder: Path) -> Path:
    """A path for an input; if it has a brace, a link to it in `folder`.

    An input has no way to write a brace that does not begin a wildcard.
    """
    if "{" not in str(path):
        return path
    folder.mkdir(exist_ok=True)
    link = folder / path.name
    if not link.is_symlink() or link.readlink() != path:
        with suppress(FileExistsError):  # another Snakemake makes the same link
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return link


def require_past(paths: Iterable[str], now: float) -> None:
    """MafnetError if a file is dated in the future.

    Snakemake takes results for older than such an input. It deletes them when their job ends.
    now: the time in seconds, by the clock of the file system of the results.
    """
    times = {}
    for path in dict.fromkeys(paths):
        with suppress(OSError):
            times[path] = Path(path).stat().st_mtime
    late = [path for path, time in times.items() if time > now + CLOCKS_DIFFER]
    if late:
        date = datetime.fromtimestamp(times[late[0]]).astimezone().isoformat(" ", "seconds")
        others = f" (and {len(late) - 1} others)" if late[1:] else ""
        raise MafnetError(
            f"{late[0]}: is dated in the future, {date}{others}; Snakemake would delete the "
            "results that are made from it; check the clock, then type: touch "
            + shlex.join(late[:MAX_NAMED])
        )
