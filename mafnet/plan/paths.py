"""Paths for Snakemake, which takes braces in them for fields of a text or for wildcards."""

from contextlib import suppress
from pathlib import Path


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
