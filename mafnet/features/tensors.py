"""Weights as every step reads them: safetensors, which hold numbers and run no code."""

from pathlib import Path

from mafnet.errors import MafnetError


def load(path: Path) -> dict:
    """Read a weights file; MafnetError if it is not one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MafnetError(f"{path}: is not a safetensors file ({error}); delete it") from error
