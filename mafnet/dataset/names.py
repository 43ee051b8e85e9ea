"""Names that people cannot tell apart: equal after Unicode, case and invisible characters."""

import unicodedata
from collections.abc import Iterable


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
