"""Verbs of stage 2, video."""

from itertools import chain
from pathlib import Path

import click

from mafnet.common import options


@click.command()
@options.manifests
@options.root
@options.output
@options.classes
@click.option("--shard", help="Only the videos of this shard.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds a file may take.")
@options.threads
def probe(
    manifests: tuple[Path, ...],
    root: Path,
    output: Path,
    classes: Path | None,
    shard: str | None,
    timeout: float,
    threads: int,
) -> None:
    """Write the properties of the video files, and their sha256, to a media table."""
    from mafnet.dataset.shards import manifest_shards, videos_of_shard
    from mafnet.video.media import write_media
    from mafnet.video.probe import probe_many

    paths, names = list(map(str, manifests)), str(classes) if classes else None
    if shard:
        videos = videos_of_shard(paths, names, shard)
    else:
        videos = sorted(chain.from_iterable(manifest_shards(paths, names).values()))
    write_media(list(probe_many(root, videos, threads, timeout)), output)
