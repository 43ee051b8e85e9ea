"""Files as versions wrote them that knew no seals; names of the files of a folder."""

from collections.abc import Callable
from pathlib import Path

import h5py


def seal_of(path: Path) -> Path:
    """The seal of a file."""
    return path.with_name(f".{path.name}.sha256")


def unsealed(path: Path) -> Path:
    """The same file, without its seal."""
    seal_of(path).unlink(missing_ok=True)
    return path


def flipped(content: bytes, position: int) -> bytes:
    """The content with another lowest bit at a position."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def visible(folder: Path) -> list[str]:
    """The names of the files of a folder without the seals; each seal has its file."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    hidden = {path.name for path in folder.iterdir()} - set(names)
    assert hidden <= {f".{name}.sha256" for name in names}, hidden
    return names


def without_checksums(
    source: Path, target: Path, change: Callable[[h5py.File], None] = lambda file: None
) -> Path:
    """A changed copy of a feature file, in the format of versions that wrote no checksums."""
    with h5py.File(source) as before, h5py.File(target, "w") as file:
        for name in set(before) - {"checksums"}:
            before.copy(name, file)
        file.attrs.update(before.attrs)
        change(file)
    return target
