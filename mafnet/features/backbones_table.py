"""The table of backbones: `mafnet backbones`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mafnet.common import options

if TYPE_CHECKING:
    from rich.table import Table

    from mafnet.features.weights.published import Published

READS = {"visual": "frames", "audio": "sound"}


@click.command()
@click.option(
    "--weights", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "weights_folder"),
    help="Folder of downloaded weights.",
)  # fmt: skip
@click.option(
    "--measure", is_flag=True, help="Measure the costs on this machine; a minute on a quiet one."
)
@click.option(
    "--write", type=options.new_file, metavar="FILE",
    help="Measure, and write the costs to FILE (.tsv), as in resources/costs.tsv.",
)  # fmt: skip
def backbones(weights: Path, measure: bool, write: Path | None) -> None:
    """List the backbones: their maps, costs, published weights, and what is on this machine."""
    from rich.console import Console

    from mafnet.features.backbones import BACKBONES
    from mafnet.features.costs import known_costs, measured, write_costs
    from mafnet.features.weights.published import TABLE, read_published

    costs = known_costs()
    if measure or write:
        costs = {name: measured(name) for name in BACKBONES}
    if write:
        write_costs(list(costs.values()), write)
    rows = [row for row in read_published(TABLE) if row.backbone in BACKBONES]
    for modality in READS:
        chosen = [row for row in rows if BACKBONES[row.backbone].modality == modality]
        Console().print(_table(modality, chosen, costs, weights))
    click.echo(_notes(costs, weights))


def _table(
    modality: str, rows: list["Published"], costs: Mapping[str, Mapping[str, str]], folder: Path
) -> "Table":
    """The weights of the backbones that read one modality."""
    from rich import box
    from rich.table import Table

    from mafnet.features.backbones import BACKBONES

    table = Table(title=f"Networks that read {READS[modality]}", title_justify="left",
                  box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)  # fmt: skip
    table.add_column("network:weights", no_wrap=True)
    for head in ("a clip's map", "CPU ms", "MB"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("licence")
    for row in rows:
        shape = "x".join(map(str, BACKBONES[row.backbone].feature_shape))
        cost = costs[row.backbone]["cpu_ms"] if row.backbone in costs else "?"
        name = f"{row.backbone}:{row.name}"
        table.add_row(name, shape, cost, row.megabytes, _here(folder, row), row.licence)
    return table


def _here(folder: Path, row: "Published") -> str:
    """What of the weights is in the folder."""
    if (folder / f"{row.backbone}-{row.name}.safetensors").exists():
        return "ready"
    if (folder / row.file).exists():
        return "downloaded"
    return "no *" if row.needs_conversion else "no"


def _notes(costs: Mapping[str, Mapping[str, str]], folder: Path) -> str:
    """What the columns mean, and how to get what is not here."""
    from mafnet.video.config import VideoSection

    one = next(iter(costs.values()), {})
    machine = f" ({one['processor']}, {one['backend']})" if one else ""
    return (
        f"CPU ms: of one core for a second of video, {VideoSection().frames_per_clip} frames or "
        f"the sound, at float32, without decoding{machine}. `mafnet backbones --measure` measures "
        "this machine.\n"
        "no: a run downloads what it needs. At once: snakemake --cores 1 "
        f"{folder}/NETWORK-WEIGHTS.safetensors. Without network: docs/weights.md.\n"
        "no *: TensorFlow has to convert it once: docs/weights.md.\n"
        "Also timm/NAME and hf/ORGANISATION/NAME, of timm and transformers: docs/weights.md."
    )
