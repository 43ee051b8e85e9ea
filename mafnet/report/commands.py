"""Verbs of stage 5, report."""

from pathlib import Path

import click

from mafnet import options

paper = click.option(
    "--paper", type=options.existing, required=True, help="The paper's values, resources/paper.tsv."
)
runs = click.option(
    "--run", "runs", type=options.folder, multiple=True, required=True,
    help="Folder of an evaluated run; once for each.",
)  # fmt: skip
dataset = click.option("--dataset", required=True, help="Name of the data set.")


@click.command()
@dataset
@runs
@click.option("--media", type=options.existing, required=True, help="The data set's media table.")
@paper
@click.option("--config-digest", required=True, help="Digest of the settings, for the record.")
@options.output
def metrics(
    dataset: str, runs: tuple[Path, ...], media: Path, paper: Path, config_digest: str, output: Path
) -> None:
    """Summarise all runs of one variant."""
    from mafnet.files import write_json
    from mafnet.report.dataset_metrics import dataset_metrics

    write_json(dataset_metrics(dataset, runs, media, paper, config_digest), output)


@click.command()
@dataset
@runs
@paper
@options.output
def study(dataset: str, runs: tuple[Path, ...], paper: Path, output: Path) -> None:
    """Compare variants in a table."""
    from rich.console import Console

    from mafnet.report.study import print_study, study_table, write_study
    from mafnet.report.summary import read_run

    by_variant: dict[str, list] = {}
    for run in map(read_run, runs):
        by_variant.setdefault(run.metrics["variant"], []).append(run)
    found = study_table(dataset, by_variant, paper)
    write_study(found, output)
    print_study(found, f"{dataset}: {output.stem}", Console())


@click.command()
@click.argument("path", type=options.existing)
def table(path: Path) -> None:
    """Show a study (CSV) on the terminal."""
    from rich.console import Console

    from mafnet.report.study import print_study, read_study

    print_study(read_study(path), f"{path.parent.parent.name}: {path.stem}", Console())
