"""Reads weights files in safetensors format, which contains numbers and no code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mafnet.common.errors import MafnetError


def load(path: Path) -> dict:
    """Read a weights file as torch tensors; MafnetError if it is damaged."""
    from safetensors.torch import load_file

    return _read(path, load_file)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read a weights file as arrays, without torch; MafnetError if it is damaged."""
    from safetensors.numpy import load_file

    return _read(path, load_file)


def _read(path: Path, load_file: Callable[[Path], dict]) -> dict:
    from safetensors import SafetensorError

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MafnetError(f"{path}: is not a safetensors file ({error}); delete it") from error
