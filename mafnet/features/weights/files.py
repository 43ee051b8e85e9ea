"""Reads weights files in safetensors format, which contains numbers and no code."""

from pathlib import Path

from mafnet.common.errors import MafnetError


def load(path: Path) -> dict:
    """Read a weights file as torch tensors; MafnetError if it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MafnetError(f"{path}: is not a safetensors file ({error}); delete it") from error
