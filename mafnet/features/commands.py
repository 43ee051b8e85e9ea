"""Verbs of stage 3, features."""

from pathlib import Path

import click

from mafnet.common import options
from mafnet.features.weights.published import TABLE

table = click.option(
    "--table",
    type=options.existing,
    default=TABLE,
    help="Another table than resources/weights.tsv.",
)
backbone = click.option("--backbone", required=True, help="Backbone, e.g. densenet201.")
name = click.option("--name", required=True, help="Name in the table, e.g. imagenet1k_v1.")
folder = click.option(
    "--folder", type=options.any_path, required=True, help="Folder of the downloads."
)


@click.command()
@table
@backbone
@name
@folder
@click.option("--converted", type=options.existing, help="Output of `mafnet convert`.")
@options.output
def fetch(
    table: Path, backbone: str, name: str, folder: Path, converted: Path | None, output: Path
) -> None:
    """Download published weights, verify them and convert them to safetensors."""
    from mafnet.features.weights.fetch import fetch as run
    from mafnet.features.weights.published import published, same_weights

    weights = published(table, backbone, name)
    also = published(table, *weights.also.split("/")) if weights.also else None
    run(weights, folder, output, converted, same_weights(table, weights), also)


@click.command()
@table
@backbone
@name
@folder
@options.output
def convert(table: Path, backbone: str, name: str, folder: Path, output: Path) -> None:
    """Download weights in TensorFlow's formats and read them with TensorFlow."""
    from mafnet.features.weights.convert import convert as run
    from mafnet.features.weights.published import published

    run(published(table, backbone, name), folder, output)


@click.command()
@options.manifests
@options.root
@options.output
@options.settings
@options.threads
def calibrate(
    manifests: tuple[Path, ...], root: Path, output: Path, settings: dict, threads: int
) -> None:
    """Make random weights whose normalisation fits the first training videos."""
    from mafnet.common.memory import keep_freed_memory
    from mafnet.features.weights.calibrate import calibrate as run

    keep_freed_memory()
    run(manifests, root, settings, output, threads)


@click.command()
@click.option("--media", type=options.existing, required=True, help="Media table of the videos.")
@options.root
@click.option("--weights", type=options.existing, required=True, help="Weights (safetensors).")
@click.option("--cache", type=options.any_path, required=True, help="Folder of the cache.")
@options.output
@options.settings
@options.threads
@options.device
def extract(
    media: Path,
    root: Path,
    weights: Path,
    cache: Path,
    output: Path,
    settings: dict,
    threads: int,
    device: str,
) -> None:
    """Extract the features of one modality for videos that are not in the cache."""
    from mafnet.features.extract import extractor
    from mafnet.features.shard_report import write_report
    from mafnet.video.media import read_media

    worker = extractor(root, weights, cache, settings, threads, device)
    write_report(worker.extract(read_media(media)), output)


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
    """Merge the tables of probing and of both extractions into one media table."""
    from rich.console import Console

    from mafnet.common.config import parse
    from mafnet.features.media_table import merge_media, outcome_table
    from mafnet.features.shard_report import read_report
    from mafnet.video.config import VideoSettings
    from mafnet.video.media import read_media, write_media

    rows = [row for path in probed for row in read_media(path)]
    reports = {
        name: [row for path in paths for row in read_report(path)]
        for name, paths in (("visual", visual), ("audio", audio))
    }
    merged = merge_media(rows, reports, parse(VideoSettings, settings, "--settings"))
    write_media(merged, output)
    Console().print(outcome_table(merged, str(output)))


@click.command()
@click.option("--media", type=options.existing, required=True, help="The data set's media table.")
@options.root
@click.option("--weights", type=options.existing, required=True, help="Weights (safetensors).")
@click.option("--cache", type=options.any_path, required=True, help="Folder of the cache.")
@options.output
@options.settings
@options.max_failed_fraction
@click.option("--maps", is_flag=True, help="Write the maps too, not only the vectors.")
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
    from mafnet.features.extract import extractor
    from mafnet.features.media_table import usable
    from mafnet.features.pack import pack as run
    from mafnet.video.media import read_media

    rows = usable(read_media(media), max_failed_fraction, media)
    worker = extractor(root, weights, cache, settings, threads, device)
    run(rows, worker, output, maps=maps or worker.name == "audio")
