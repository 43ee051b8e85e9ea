"""Names and paths of a manifest: which are wrong, and which people cannot tell apart."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_NO_PARTS = frozenset(("", ".", ".."))
"""Parts that a plain path below the root does not have."""


def folded(name: str) -> str:
    """A name in Unicode form NFC, case-folded and without format characters (category Cf)."""
    if name.isascii():
        return name.casefold()
    visible = "".join(c for c in name if c.isprintable() or unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", visible).casefold())


def folded_path(path: str) -> str:
    """A path with forward slashes and without blanks around its parts, folded."""
    parts = path.replace("\\", "/").split("/")
    return "/".join(folded(part.strip()) for part in parts)


def spelling(name: str) -> str:
    """A name in quotes, with the code points of characters that are not ASCII."""
    return repr(name) if name.isascii() else f"{name!r} ({name!a})"


def look_alikes(names: Iterable[str]) -> dict[str, str]:
    """For each name that is equal to an earlier, different name after folding, the earlier one."""
    first: dict[str, str] = {}
    pairs = ((name, first.setdefault(folded(name), name)) for name in names)
    return {name: earlier for name, earlier in pairs if name != earlier}


def name_faults(column: str, name: str) -> list[str]:
    """Faults of a name in a column: control or format characters, line breaks, outer blanks."""
    # Nearly all names are printable. Checking each character takes ten times as long.
    if not name.isprintable() and any(map(_breaks, name)):
        return [
            f"{column} {name!r} contains a control character, line break or invisible character; "
            "remove it"
        ]
    if name.strip() and name != name.strip():
        return [f"{column} {name!r} begins or ends with a blank; remove it"]
    return []


def _breaks(character: str) -> bool:
    """True for control and format characters, half surrogate pairs and line separators.

    Format characters (Cf) are invisible, e.g. zero-width spaces and marks of writing direction.
    """
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def path_faults(video: str) -> list[str]:
    """Faults of a path that must be a file below the root."""
    # Nearly all paths are plain. Parsing each takes ten times as long.
    if _NO_PARTS.isdisjoint(video.split("/")) and "\0" not in video:
        return []
    path = PurePosixPath(video)
    if ".." in path.parts:
        return [f"video {video!r} is outside the data set's root; give a path below it"]
    if "\0" in video or str(path) != video:
        return [f"video {video!r} is not a plain relative path; write it as {str(path)!r}"]
    return []
