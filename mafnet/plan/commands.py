"""`mafnet check`: a data set is checked before the workflow runs."""

from pathlib import Path

import click

from mafnet.common import options
from mafnet.common.errors import MafnetError, hint
from mafnet.common.terminal import printable


@click.command()
@click.argument("dataset")
@click.option(
    "--configfile", "configs", type=options.existing, multiple=True,
    help="Settings that override config.yaml, as for snakemake.",
)  # fmt: skip
@click.option(
    "--output", type=options.new_file, help="Table of all missing and surplus files to write."
)
def check(dataset: str, configs: tuple[Path, ...], output: Path | None) -> None:
    """Count the expected, existing, missing and surplus files; exit 1 if too many are missing.

    DATASET is a name in the config's `datasets`. No video is opened, and no archive is unpacked.
    """
    from mafnet.dataset.inventory import report_inventory, take_inventory, write_inventory
    from mafnet.plan.config import check_config, dataset_sections, read_config

    config = read_config(configs)
    entries = check_config(config).datasets
    if dataset not in entries:
        raise MafnetError(f"{dataset} is not in the config's datasets; {hint(dataset, entries)}")
    limit = dataset_sections(config, dataset).video.max_failed_fraction
    found = take_inventory(dataset, entries[dataset], limit, configs)
    click.echo(printable(report_inventory(found)))
    if output:
        write_inventory(found, output)
    found.require_runnable()
