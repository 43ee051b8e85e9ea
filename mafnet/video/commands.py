"""Verbs of stage 2, video."""

import logging
from itertools import chain
from pathlib import Path

import click

from mafnet.common import options


@click.command()
@options.manifests
@options.root
@options.output
@options.classes
@options.link_roots
@click.option("--shard", help="Only the videos of this shard.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds a file may take.")
@options.threads
def probe(
    manifests: tuple[Path, ...],
    root: Path,
    output: Path,
    classes: Path | None,
    link_roots: tuple[Path, ...],
    shard: str | None,
    timeout: float,
    threads: int,
) -> None:
    """Write the properties of the video files, and their sha256, to a media table."""
    from mafnet.dataset.shards import manifest_shards, videos_of_shard
    from mafnet.video.interruptions import require_none
    from mafnet.video.media import write_media
    from mafnet.video.probe import probe_many

    paths, names = list(map(str, manifests)), str(classes) if classes else None
    if shard:
        videos = videos_of_shard(paths, names, shard)
    else:
        videos = sorted(chain.from_iterable(manifest_shards(paths, names).values()))
    rows = list(probe_many(root, videos, threads, timeout, link_roots))
    require_none(rows)
    write_media(rows, output)


@click.command()
@click.option("--dataset", required=True, help="Name of the data set, for messages.")
@click.option(
    "--probed", type=options.existing, multiple=True, required=True, help="Table of a probed shard."
)
@options.splits
@options.max_failed_fraction
@options.output
def screen(
    dataset: str,
    probed: tuple[Path, ...],
    splits: tuple[tuple[str, Path], ...],
    max_failed_fraction: float,
    output: Path,
) -> None:
    """Check all probed videos together: too many failures, the same bytes in several subsets."""
    from mafnet.common.files import write_json
    from mafnet.dataset.manifest import read_manifest
    from mafnet.video.media import Media, read_media
    from mafnet.video.screen import require_few_failed
    from mafnet.video.screen import screen as run

    # Only these fields are kept, because the rows of a large data set need much memory.
    rows = [
        Media(row.video, status=row.status, error=row.error, sha256=row.sha256)
        for path in probed
        for row in read_media(path)
    ]
    require_few_failed(rows, max_failed_fraction, dataset)
    notes = run({name: read_manifest(path) for name, path in splits}, rows)
    for note in notes:
        logging.getLogger(__name__).warning("%s: %s", dataset, note)
    failed = sum(row.failed for row in rows)
    write_json({"videos": len(rows), "failed": failed, "notes": notes}, output)
