"""Commands of stage 5, report."""

import logging
from pathlib import Path

import click

from mafnet.common import options

paper = click.option(
    "--paper", type=options.existing, required=True, help="The paper's values, resources/paper.tsv."
)
runs = click.option(
    "--run", "runs", type=options.folder, multiple=True, required=True,
    help="Folder of an evaluated run. Give it once for each run.",
)  # fmt: skip
protocol = click.option(
    "--protocol", default="own", show_default=True, help="Name of the evaluation protocol."
)
silent = click.option(
    "--silent", default="", help="Policy for videos without audio, compared with the paper's."
)
described = click.option(
    "--described", type=options.existing, multiple=True,
    help="Description beside a split's manifest (.json). Give it once for each split.",
)  # fmt: skip
dataset = click.option("--dataset", required=True, help="Name of the data set.")
main_variant = click.option(
    "--main",
    **options.config_default("model.config:ModelSection", "main"),
    help="The main variant. The others are compared with it.",
)


@click.command()
@dataset
@runs
@click.option("--media", type=options.existing, required=True, help="The data set's media table.")
@paper
@protocol
@silent
@described
@click.option(
    "--screened", type=options.existing, help="Findings about all videos, of mafnet screen (.json)."
)
@click.option(
    "--config-digest", required=True, help="SHA-256 of the settings, written into the output."
)
@options.output
def metrics(
    dataset: str,
    runs: tuple[Path, ...],
    media: Path,
    paper: Path,
    protocol: str,
    silent: str,
    described: tuple[Path, ...],
    screened: Path | None,
    config_digest: str,
    output: Path,
) -> None:
    """Summarise all runs of one variant; show the paper's value and the outcome of all videos."""
    from rich.console import Console

    from mafnet.common.files import read_json, write_json
    from mafnet.features.media_table import outcome_table
    from mafnet.report.dataset_metrics import dataset_metrics, log_metrics
    from mafnet.report.protocol import read_protocol
    from mafnet.video.media import read_media

    measured = read_protocol(protocol, described, silent)
    leaks = read_json(screened)["notes"] if screened else []
    found = dataset_metrics(dataset, runs, media, paper, measured, config_digest, leaks)
    write_json(found, output)
    Console().print(outcome_table(read_media(media), f"{dataset}: {media}"))
    log_metrics(found, logging.getLogger(__name__))


@click.command()
@dataset
@runs
@paper
@protocol
@silent
@described
@main_variant
@options.output
def study(
    dataset: str,
    runs: tuple[Path, ...],
    paper: Path,
    protocol: str,
    silent: str,
    described: tuple[Path, ...],
    main: str,
    output: Path,
) -> None:
    """Write the table of a study: its variants side by side."""
    from rich.console import Console

    from mafnet.common.files import remove
    from mafnet.report.partial_study import partial_path
    from mafnet.report.protocol import read_protocol
    from mafnet.report.statistics.runs import grouped, read_run
    from mafnet.report.study_table import print_study, study_table, write_study

    by_variant = grouped(map(read_run, runs), "variant")
    measured = read_protocol(protocol, described, silent)
    found = study_table(dataset, by_variant, paper, measured, main, output.stem)
    remove(partial_path(output))  # first, because a kill after the table would leave it
    write_study(found, output)
    print_study(found, f"{dataset}: {output.stem}", Console())


@click.command()
@click.argument("name", metavar="FIGURE")
@dataset
@runs
@main_variant
@click.option(
    "--split", "splits", type=(str, options.existing), multiple=True,
    help="Name of a split and its manifest (CSV). Give it once for each split.",
)  # fmt: skip
@click.option("--media", type=options.existing, help="The data set's media table.")
@click.option("--root", type=options.folder, help="Folder of the videos.")
@click.option("--features", type=options.existing, multiple=True, help="Feature file of the runs.")
@click.option("--study", type=options.existing, help="Table of a study.")
@options.output
def figure(
    name: str,
    dataset: str,
    runs: tuple[Path, ...],
    main: str,
    splits: tuple[tuple[str, Path], ...],
    media: Path | None,
    root: Path | None,
    features: tuple[Path, ...],
    study: Path | None,
    output: Path,
) -> None:
    """Draw a figure of finished runs (SVG)."""
    from mafnet.report.figures.draw import draw_to
    from mafnet.report.figures.inputs import Inputs

    inputs = Inputs(dataset, runs, main, dict(splits), media, root, features, study)
    draw_to(name, inputs, output)


@click.command()
@click.argument("path", type=options.existing)
def table(path: Path) -> None:
    """Show a study (CSV) on the terminal."""
    from rich.console import Console

    from mafnet.report.study_table import print_study, read_study

    print_study(read_study(path), f"{path.parent.parent.name}: {path.stem}", Console())


@click.command()
@runs
@click.option("--metrics", type=options.existing, required=True, help="The data set's metrics.")
@click.option("--media", type=options.existing, required=True, help="The data set's media table.")
@options.splits
@options.root
@options.settings
@click.option(
    "--study", "studies", type=options.new_file, multiple=True,
    help="A study (CSV). If it is missing, the page shows its finished runs.",
)  # fmt: skip
@click.option("--figure", "figures", type=options.existing, multiple=True, help="A figure (SVG).")
@click.option(
    "--sounds", type=(options.existing, options.existing), metavar="FEATURES WEIGHTS",
    help="Feature file of the audio, and weights of its backbone: the page names what it heard.",
)  # fmt: skip
@options.threads
@options.output
def report(
    runs: tuple[Path, ...],
    metrics: Path,
    media: Path,
    splits: tuple[tuple[str, Path], ...],
    root: Path,
    settings: dict,
    studies: tuple[Path, ...],
    figures: tuple[Path, ...],
    sounds: tuple[Path, Path] | None,
    threads: int,
    output: Path,
) -> None:
    """Write a page of results: one HTML file that needs no network."""
    from mafnet.common.files import remove
    from mafnet.report.page.content import Sources, page_content
    from mafnet.report.page.render import write_page
    from mafnet.report.partial_study import partial_path

    sources = Sources(metrics, media, runs, dict(splits), root, settings, studies, figures, sounds)
    content = page_content(sources, output, threads)
    remove(partial_path(output))  # first, because a kill after the page would leave it
    write_page(content, output)
    logging.getLogger(__name__).info("%s: open it in a browser", output)
