"""Finds the file of the weights that some features were made with."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import require_unchanged, sha256_of


def find_weights(fingerprint: Mapping, folders: Iterable[Path], what: str) -> Path:
    """The file with the weights of a fingerprint (`Fingerprint.as_dict`) in one of the folders.

    The sha256 decides. MafnetError says which file is missing and where to put it.
    what: that needs the weights, for the message.
    """
    named = f"{fingerprint['backbone']}-{fingerprint['weights']}.safetensors"
    random = fingerprint["weights"] == "random"
    names = (f"{fingerprint['modality']}.safetensors",) if random else (named,)
    folders = list(dict.fromkeys(folders))
    present = [path for folder in folders for name in names if (path := folder / name).is_file()]
    for path in present:
        if (require_unchanged(path) or sha256_of(path)) == fingerprint["weights_sha256"]:
            return path
    needed = f"{what}: needs the weights {fingerprint['weights']} of {fingerprint['backbone']}"
    digest = f"sha256 {fingerprint['weights_sha256'][:16]}..."
    if present:
        raise MafnetError(
            f"{needed} ({digest}), but {present[0]} has other values; give the folder with the "
            "right file (--weights)"
        )
    where = ", ".join(map(str, folders))
    source = "they are beside the results of the training" if random else (
        f"`mafnet fetch --backbone {fingerprint['backbone']} --name {fingerprint['weights']} "
        f"--folder weights --output weights/{named}` makes it"
    )  # fmt: skip
    raise MafnetError(
        f"{needed} ({digest}), and {names[0]} is not in {where}; give its folder (--weights); "
        f"{source}"
    )
