"""Published weights of the backbones, by name."""

import csv
from dataclasses import dataclass
from pathlib import Path

from mafnet.download import obtain
from mafnet.errors import MafnetError
from mafnet.features.backbones import backbone_class
from mafnet.files import replacing


@dataclass(frozen=True)
class Published:
    """A row of resources/weights.tsv."""

    name: str
    backbone: str
    file: str
    sha256: str
    address: str


def published(table: Path, backbone: str, name: str) -> Published:
    """A row by backbone and name; MafnetError lists the names there are."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["backbone"] == backbone]
    for row in rows:
        if row["name"] == name:
            return Published(
                *(row[key] for key in ("name", "backbone", "file", "sha256", "address"))
            )
    known = ", ".join([*(row["name"] for row in rows), "random"])
    raise MafnetError(f"{backbone} has no weights {name!r}; choose one of {known}")


def fetch(weights: Published, folder: Path, output: Path) -> None:
    """Obtain published weights and write them as safetensors, after the backbone has taken them."""
    import torch
    from safetensors.torch import save

    source = obtain(folder / weights.file, [weights.address], weights.sha256)
    state = torch.load(source, weights_only=True, map_location="cpu")
    backbone_class(weights.backbone)(state, "cpu", "float32")
    tensors = {key: value.contiguous() for key, value in state.items()}
    with replacing(output) as beside:
        beside.write_bytes(save(tensors, {"source": weights.file, "sha256": weights.sha256}))


def load(path: Path) -> dict:
    """Read a weights file; MafnetError if it is not one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise MafnetError(f"{path}: is not a safetensors file ({error}); delete it") from error
