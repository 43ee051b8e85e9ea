"""Published weights of the backbones: one set of values by name, whichever file it came in."""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.common.resources import SHARED
from mafnet.features.backbones import backbone_class
from mafnet.features.tensors import load

log = logging.getLogger(__name__)

TABLE = SHARED / "resources/weights.tsv"
"""All published weights."""

FORMS = ("torch", "saved_model", "checkpoint")


@dataclass(frozen=True)
class Published:
    """A row of resources/weights.tsv.

    version: rows of one backbone and version are the same weights from several sources.
    form: "torch", or TensorFlow's "saved_model" or "checkpoint".
    sha256: the digest or its beginning; empty if nobody published one.
    """

    backbone: str
    name: str
    version: str
    form: str
    file: str
    sha256: str
    addresses: tuple[str, ...]

    @property
    def needs_conversion(self) -> bool:
        """True if TensorFlow has to read the file."""
        return self.form != "torch"


def read_published(table: Path) -> list[Published]:
    """All rows of the table; MafnetError names a row that is not complete."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [_row(table, number, row) for number, row in enumerate(rows, start=2)]


def _row(table: Path, number: int, row: dict[str, str]) -> Published:
    keys = ("backbone", "name", "version", "form", "file", "sha256")
    lacking = [key for key in (*keys, "addresses") if row.get(key) is None]
    if lacking or row["form"] not in FORMS:
        wrong = f"lacks {', '.join(lacking)}" if lacking else f"form is none of {', '.join(FORMS)}"
        raise MafnetError(f"{table}, row {number}: {wrong}; mend the row")
    return Published(*(row[key] for key in keys), tuple(row["addresses"].split()))


def published(table: Path, backbone: str, name: str) -> Published:
    """A row by backbone and name; MafnetError lists the names there are."""
    rows = [row for row in read_published(table) if row.backbone == backbone]
    for row in rows:
        if row.name == name:
            return row
    known = ", ".join([*(row.name for row in rows), "random"])
    raise MafnetError(f"{backbone} has no weights {name!r}; choose one of {known}")


def same_weights(table: Path, weights: Published) -> list[Published]:
    """The other sources of the same weights."""
    key = (weights.backbone, weights.version)
    rows = read_published(table)
    return [row for row in rows if (row.backbone, row.version) == key and row != weights]


def fetch(
    weights: Published,
    folder: Path,
    output: Path,
    converted: Path | None = None,
    others: list[Published] = (),
) -> None:
    """Write published weights as safetensors: what the backbone needs of them, under its names.

    converted: what `mafnet convert` made of TensorFlow's file; it is checked against torch first.
    others: sources of the same weights; those beside `output` must hold exactly the same, and
        then the files are the same byte for byte, so that features do not depend on the source.
    """
    from safetensors.torch import save

    state = _state(weights, folder, converted)
    chosen = backbone_class(weights.backbone)
    chosen(state, "cpu", "float32")  # raises if anything is missing or has another shape
    own = {name: tensor.contiguous() for name, tensor in chosen.own_weights(state).items()}
    for other in others:
        _compare(own, output.with_name(f"{other.backbone}-{other.name}.safetensors"), output)
    with replacing(output) as beside:
        beside.write_bytes(save(own))


def _state(weights: Published, folder: Path, converted: Path | None) -> dict:
    """The state dict that was published."""
    if converted:
        from mafnet.features.vggish_check import checked

        return checked(converted)
    if weights.needs_conversion:
        raise MafnetError(
            f"{weights.name}: TensorFlow has to convert {weights.file} first; run `mafnet convert` "
            "and give its output as --converted"
        )
    return _load_torch(obtain(folder / weights.file, weights.addresses, weights.sha256))


def _load_torch(path: Path) -> dict:
    import pickle

    import torch

    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise MafnetError(f"{path}: is not a torch file of weights ({reason})") from error


def _compare(own: dict, path: Path, output: Path) -> None:
    """MafnetError if another source's weights, where they are there, differ in any value."""
    if not path.exists():
        return
    theirs = load(path)
    for name in own | theirs:
        if name not in own or name not in theirs:
            raise MafnetError(f"{output}: only one of it and {path} holds {name}; delete the wrong")
        difference = (own[name].double() - theirs[name].double()).abs().max().item()
        if not difference == 0.0:  # also where it is not a number
            raise MafnetError(
                f"{output}: {name} differs by up to {difference:.1e} from that in {path}, though "
                "both should be the same weights; delete the file that you do not trust"
            )
    log.info("%s holds exactly the same weights", path)
