"""The table of backbones: `mafnet backbones`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mafnet.common import options

if TYPE_CHECKING:
    from mafnet.features.weights.published import Published


@click.command()
@click.option(
    "--weights", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "weights_folder"),
    help="Folder of downloaded weights.",
)  # fmt: skip
def backbones(weights: Path) -> None:
    """List the backbones, their published weights, and what is on this machine."""
    from rich.console import Console
    from rich.table import Table

    from mafnet.features.backbones import BACKBONES
    from mafnet.features.weights.published import TABLE, read_published

    table = Table("backbone", "reads", "a clip's map", "weights", "MB", "licence", "here")
    for row in read_published(TABLE):
        if spec := BACKBONES.get(row.backbone):
            shape = " x ".join(map(str, spec.feature_shape))
            reads = {"visual": "frames", "audio": "audio"}[spec.modality]
            table.add_row(
                row.backbone, reads, shape, row.name, row.megabytes, row.licence,
                _here(weights, row),
            )  # fmt: skip
    Console().print(table)
    click.echo(
        "A run fetches what it needs. To fetch weights now: snakemake --cores 1 "
        f"{weights}/BACKBONE-WEIGHTS.safetensors; without network: docs/weights.md\n"
        "Also timm/NAME and hf/ORGANISATION/NAME, of timm and transformers: docs/weights.md"
    )


def _here(folder: Path, row: "Published") -> str:
    """What of the weights is in the folder."""
    if (folder / f"{row.backbone}-{row.name}.safetensors").exists():
        return "ready"
    return "downloaded" if (folder / row.file).exists() else "no"
