"""`mafnet features`: the features of any videos, in a file."""

import sys
from pathlib import Path

import click

from mafnet.common import options

NONE = "none"


@click.command()
@click.argument("videos", nargs=-1, required=True)
@click.option(
    "--output", type=options.new_file, required=True, help="File to write (.npz, .h5 or .parquet)."
)
@click.option(
    "--visual", default="efficientnet_lite0:imagenet", show_default=True, metavar="NAME:WEIGHTS",
    help="Backbone of the frames with its weights, a published name or a safetensors file; or "
    "none. `mafnet backbones` lists them.",
)  # fmt: skip
@click.option(
    "--audio", default="yamnet:audioset", show_default=True, metavar="NAME:WEIGHTS",
    help="The same for the sound.",
)  # fmt: skip
@click.option("--maps", is_flag=True, help="Maps, not their means over the places.")
@click.option(
    "--scores", is_flag=True,
    help="Scores of the backbone's own classes too, such as the sounds that yamnet knows.",
)  # fmt: skip
@click.option(
    "--clips", type=click.IntRange(1),
    **options.config_default("video.config:VideoSection", "clips"),
    help="T, the seconds of a video that are read.",
)  # fmt: skip
@click.option(
    "--weights", type=options.any_path, default=Path("weights"), show_default=True,
    help="Folder of published weights; missing ones are downloaded.",
)  # fmt: skip
@click.option(
    "--cache", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "cache"),
    help="Folder of the cache: videos that it has are not computed again.",
)  # fmt: skip
@options.all_threads
@options.device
def features(
    videos: tuple[str, ...],
    output: Path,
    visual: str,
    audio: str,
    maps: bool,
    scores: bool,
    clips: int,
    weights: Path,
    cache: Path,
    threads: int | None,
    device: str,
) -> None:
    """Write the features of videos to a file, one vector or map for each second.

    VIDEOS are files, folders, patterns, tables (.csv) with a column video, or - for a list on
    standard input. The arrays are in memory before they are written. After a kill, the same command
    continues. The exit status is 1 if a video could not be used; the file names it.
    """
    from mafnet.common.memory import keep_freed_memory
    from mafnet.features.video_features import require_suffix, video_features
    from mafnet.video.named_videos import named_videos

    require_suffix(output)
    names = named_videos(videos, sys.stdin)
    keep_freed_memory()
    chosen = {"visual": visual, "audio": audio}
    backbones = {name: text for name, text in chosen.items() if text != NONE}
    found = video_features(names, backbones, clips, maps, weights, cache, device, threads, scores)
    if found.videos:
        found.write(output)
        click.echo(f"{output}: {len(found.videos)} videos", err=True)
    if found.failed:
        total = len(found.failed) + len(found.videos)
        click.echo(
            f"mafnet features: {len(found.failed)} of {total} videos could not be used", err=True
        )
        raise click.exceptions.Exit(1)
