"""`mafnet predict`: classes of any videos by a trained run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mafnet.common import options
from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError

if TYPE_CHECKING:
    from mafnet.features.videos import FailedVideo
    from mafnet.model.predictor import Model
    from mafnet.model.segments import Segment


@click.command()
@click.argument("videos", nargs=-1, required=True)
@click.option(
    "--model",
    "run",
    type=options.any_path,
    required=True,
    help="Folder of a run, or a file of mafnet export.",
)
@click.option(
    "--top", default=3, type=click.IntRange(1), show_default=True,
    help="Number of classes that the table shows for a video.",
)  # fmt: skip
@click.option("--json", "form", flag_value="json", help="Print JSON instead of a table.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV instead of a table.")
@click.option("--vtt", "form", flag_value="vtt", help="With --windows: print WebVTT subtitles.")
@click.option(
    "--windows", is_flag=True,
    help="For recordings of any length: a window of T seconds moves over each; the parts with a "
    "label are listed.",
)  # fmt: skip
@click.option(
    "--hop", type=click.IntRange(1), default=1, show_default=True,
    help="Seconds by which the window moves.",
)  # fmt: skip
@click.option(
    "--limits", type=(click.FloatRange(0, 1), click.FloatRange(0, 1)), default=(0.5, 0.3),
    show_default=True, metavar="HIGH LOW",
    help="A part has a score of LOW or more everywhere and of HIGH or more somewhere.",
)  # fmt: skip
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
    windows: bool,
    hop: int,
    limits: tuple[float, float],
    weights: Path | None,
    cache: Path | None,
    silent: str,
    threads: int | None,
    device: str,
) -> None:
    """Classify videos by a trained run; show which seconds and which modality decided.

    VIDEOS are files, folders, patterns, tables (.csv) with a column video, or - for a list on
    standard input. Without --windows, only the first T seconds of a video are read; T is that of
    the training. The exit status is 1 if a video could not be used.

    With --windows, the video can also be a live source: a named pipe, or pipe:0 for a video on
    standard input (Matroska, MPEG-TS, ...). Each part is then printed when it ends, JSON as one
    object a line, until the source ends or you press Ctrl-C.
    """
    from rich.console import Console

    from mafnet.common.memory import keep_freed_memory
    from mafnet.model.live_command import predict_live
    from mafnet.model.prediction_output import as_csv, as_json, as_table
    from mafnet.model.predictor import Model
    from mafnet.video.live import is_live
    from mafnet.video.named_videos import named_videos

    names = named_videos(videos, sys.stdin)
    live = any(map(is_live, names))
    if live and (not windows or len(names) > 1):
        raise MafnetError("a live source needs --windows, and no other video beside it")
    if form == "vtt" and (not windows or len(names) != 1):
        raise MafnetError("--vtt: needs --windows and one video; name one")
    if limits[0] < limits[1]:
        raise MafnetError("--limits: HIGH is less than LOW; give the higher limit first")
    keep_freed_memory()
    model = Model(run, weights, cache, device, threads or usable_cores(), silent)
    if form in ("csv", "vtt") and not live:  # these have no place for it
        for note in model.notes:
            click.echo(note, err=True)
    if live:
        predict_live(model, names[0], hop, limits, form)
        return
    if windows:
        segments = {name: _segments(model, name, hop, limits) for name in names}
        _print_segments(segments, form, run, model)
        _exit(list(segments.values()))
        return
    found = list(model.predict_many(names))
    settings = model.settings
    if form == "json":
        options.print_text(as_json(found, {"run": str(run), **model.about}))
    elif form == "csv":
        options.print_text(as_csv(found, settings.classes, settings.modalities, settings.clips))
    else:
        Console().print(as_table(found, top, model.notes))
    _exit(found)


def _segments(
    model: "Model", name: str, hop: int, limits: tuple[float, float]
) -> "list[Segment] | FailedVideo":
    """The segments of a recording."""
    found = model.windows(name, hop)
    return found.segments(*limits) if hasattr(found, "segments") else found


def _print_segments(found: dict, form: str | None, run: Path, model: "Model") -> None:
    """Print the segments of all recordings in the form that was chosen."""
    from rich.console import Console

    from mafnet.features.videos import FailedVideo
    from mafnet.model.window_output import (
        segments_csv,
        segments_json,
        segments_table,
        segments_vtt,
    )

    if form == "json":
        options.print_text(segments_json(found, {"run": str(run), **model.about}))
    elif form == "csv":
        options.print_text(segments_csv(found))
    elif form == "vtt":
        (segments,) = found.values()
        options.print_text(segments_vtt([] if isinstance(segments, FailedVideo) else segments))
    else:
        Console().print(segments_table(found, model.notes))


def _exit(found: list) -> None:
    """Exit with 1 if a video could not be used."""
    from mafnet.features.videos import FailedVideo

    failed = sum(isinstance(each, FailedVideo) for each in found)
    if failed:
        click.echo(f"mafnet predict: {failed} of {len(found)} videos could not be used", err=True)
        raise click.exceptions.Exit(1)
