"""`mafnet predict`: classes of any videos by a trained run."""

import sys
from pathlib import Path

import click

from mafnet.common import options
from mafnet.common.cores import usable_cores


@click.command()
@click.argument("videos", nargs=-1, required=True)
@click.option("--model", "run", type=options.any_path, required=True, help="Folder of a run.")
@click.option(
    "--top", default=3, type=click.IntRange(1), show_default=True,
    help="Number of classes that the table shows for a video.",
)  # fmt: skip
@click.option("--json", "form", flag_value="json", help="Print JSON instead of a table.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV instead of a table.")
@options.find_weights
@click.option(
    "--cache", type=options.any_path,
    help="Folder of the cache.  [default: that of the project, if there is one]",
)  # fmt: skip
@options.silent
@options.all_threads
@options.device
def predict(
    videos: tuple[str, ...],
    run: Path,
    top: int,
    form: str | None,
    weights: Path | None,
    cache: Path | None,
    silent: str,
    threads: int | None,
    device: str,
) -> None:
    """Classify videos by a trained run; show which seconds and which modality decided.

    VIDEOS are files, folders, patterns, tables (.csv) with a column video, or - for a list on
    standard input. Only the first T seconds of a video are read; T is that of the training. The
    exit status is 1 if a video could not be used.
    """
    from rich.console import Console

    from mafnet.common.memory import keep_freed_memory
    from mafnet.features.videos import FailedVideo
    from mafnet.model.prediction_output import as_csv, as_json, as_table
    from mafnet.model.predictor import Model
    from mafnet.video.named_videos import named_videos

    names = named_videos(videos, sys.stdin)
    keep_freed_memory()
    model = Model(run, weights, cache, device, threads or usable_cores(), silent)
    found = list(model.predict_many(names))
    settings = model.settings
    if form == "json":
        options.print_text(as_json(found, str(run), model.random_weights))
    elif form == "csv":
        options.print_text(as_csv(found, settings.classes, settings.modalities, settings.clips))
    else:
        Console().print(as_table(found, top, model.random_weights))
    failed = sum(isinstance(each, FailedVideo) for each in found)
    if failed:
        click.echo(f"mafnet predict: {failed} of {len(found)} videos could not be used", err=True)
        raise click.exceptions.Exit(1)
