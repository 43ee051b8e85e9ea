"""Verbs of stage 3, dataset."""

from pathlib import Path

import click

from mafnet import options
from mafnet.video.settings import VideoSettings


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
    run(rows, worker, output, maps=worker.name == "audio")
