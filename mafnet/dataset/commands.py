"""Verbs of stage 3, dataset."""

from pathlib import Path

import click

from mafnet import options
from mafnet.dataset.sources import SOURCES
from mafnet.terminal import printable
from mafnet.video.settings import VideoSettings

source = click.option(
    "--source", type=click.Choice(list(SOURCES)), required=True,
    help="Published data set.",
)  # fmt: skip
lists = click.option("--lists", type=options.any_path, help="Folder or zip file of the lists.")


@click.command()
@source
@click.option("--folder", type=options.any_path, required=True, help="Folder to fill.")
@options.output
def download(source: str, folder: Path, output: Path) -> None:
    """Fetch the archives and lists of a published data set, verified; read its terms first."""
    from mafnet.dataset.collect import download as run
    from mafnet.dataset.collect import write_listing
    from mafnet.dataset.readers import Member

    files = run(SOURCES[source], folder)
    write_listing([Member(path.name, path.stat().st_size) for path in files], output)


@click.command()
@source
@click.option(
    "--archive", type=click.Path(exists=True, path_type=Path), required=True,
    help="Archive, or folder of archives or of lists of their addresses.",
)  # fmt: skip
@lists
@click.option("--folder", type=options.any_path, required=True, help="Folder to fill.")
@options.output
def unpack(source: str, archive: Path, lists: Path | None, folder: Path, output: Path) -> None:
    """Unpack a published data set's videos and lists, what is wanted and no more."""
    from mafnet.dataset.collect import collect, write_listing

    write_listing(collect(SOURCES[source], archive, lists, folder), output)


@click.command()
@source
@click.option("--split", required=True, help="Which split, e.g. official, split01, ks32.")
@lists
@options.root
@options.settings
@options.output
def prepare(
    source: str, split: str, lists: Path | None, root: Path, settings: dict, output: Path
) -> None:
    """Write the manifest of one split of a published data set."""
    from mafnet.dataset.prepare import prepare as run
    from mafnet.dataset.source import Holdout

    holdout = options.build(Holdout, settings, "prepare")
    run(SOURCES[source], split, lists or root, root, holdout, output)


@click.command()
@click.argument("dataset")
@click.option(
    "--configfile", "configs", type=options.existing, multiple=True,
    help="Settings laid over config.yaml, as for snakemake.",
)  # fmt: skip
@click.option("--output", type=options.new_file, help="Table of every missing and surplus file.")
def check(dataset: str, configs: tuple[Path, ...], output: Path | None) -> None:
    """Say what of a data set is expected, there, missing or surplus; exit 1 if too much is missing.

    DATASET is a name in the config's `datasets`. Nothing is unpacked, read or changed.
    """
    from mafnet.config import read_config
    from mafnet.dataset.inventory import report_inventory, take_inventory, write_inventory

    found = take_inventory(dataset, read_config(configs))
    click.echo(printable(report_inventory(found)))
    if output:
        write_inventory(found, output)
    found.require_enough()


@click.command()
@click.option("--probed", type=options.existing, multiple=True, required=True)
@click.option("--visual", type=options.existing, multiple=True, required=True)
@click.option("--audio", type=options.existing, multiple=True, required=True)
@options.output
@options.settings
def media(
    probed: tuple[Path, ...],
    visual: tuple[Path, ...],
    audio: tuple[Path, ...],
    output: Path,
    settings: dict,
) -> None:
    """Merge what probing and both extractions found into one media table."""
    from rich.console import Console

    from mafnet.dataset.media import merge_media, outcome_table
    from mafnet.features.extract import read_report
    from mafnet.video.table import read_media, write_media

    rows = [row for path in probed for row in read_media(path)]
    reports = {
        name: [row for path in paths for row in read_report(path)]
        for name, paths in (("visual", visual), ("audio", audio))
    }
    merged = merge_media(rows, reports, options.build(VideoSettings, settings, "media"))
    write_media(merged, output)
    Console().print(outcome_table(merged, str(output)))


@click.command()
@click.option("--media", type=options.existing, required=True, help="The data set's media table.")
@options.root
@click.option("--weights", type=options.existing, required=True, help="Weights (safetensors).")
@click.option("--cache", type=options.any_path, required=True, help="Folder of the cache.")
@options.output
@options.settings
@click.option(
    "--max-failed-fraction", type=click.FloatRange(0, 1), default=VideoSettings.max_failed_fraction,
    show_default=True, help="Share of failed videos above which nothing is packed.",
)  # fmt: skip
@click.option("--maps", is_flag=True, help="The maps too where the vectors alone are the rule.")
@options.threads
@options.device
def pack(
    media: Path,
    root: Path,
    weights: Path,
    cache: Path,
    output: Path,
    settings: dict,
    max_failed_fraction: float,
    maps: bool,
    threads: int,
    device: str,
) -> None:
    """Pack cached features into the file that training reads."""
    from mafnet.dataset.media import usable
    from mafnet.dataset.pack import pack as run
    from mafnet.features.setup import extractor
    from mafnet.video.table import read_media

    rows = usable(read_media(media), max_failed_fraction, media)
    worker = extractor(root, weights, cache, settings, threads, device)
    run(rows, worker, output, maps=maps or worker.name == "audio")
