"""`mafnet check`: a data set is checked before the workflow runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mafnet.common import options
from mafnet.common.errors import MafnetError, hint
from mafnet.common.terminal import printable

if TYPE_CHECKING:
    from mafnet.dataset.inventory import Inventory
    from mafnet.video.config import VideoSection

MAX_SHOWN = 10
"""Pairs of similar videos that the terminal shows; the table has all."""


@click.command()
@click.argument("dataset")
@click.option(
    "--configfile", "configs", type=options.existing, multiple=True,
    help="Settings that override config.yaml, as for snakemake.",
)  # fmt: skip
@click.option(
    "--output", type=options.new_file, help="Table of all missing and surplus files to write."
)
@click.option(
    "--similar", type=options.new_file,
    help="Table of videos in different subsets that look alike to write. This decodes all videos.",
)  # fmt: skip
def check(
    dataset: str, configs: tuple[Path, ...], output: Path | None, similar: Path | None
) -> None:
    """Count the expected, existing, missing and surplus files; exit 1 if too many are missing.

    DATASET is a name in the config's `datasets`. No archive is unpacked, and no video is opened
    without --similar.
    """
    from mafnet.dataset.inventory import report_inventory, take_inventory, write_inventory
    from mafnet.plan.config import check_config, dataset_sections, read_config

    config = read_config(configs)
    entries = check_config(config).datasets
    if dataset not in entries:
        raise MafnetError(f"{dataset} is not in the config's datasets; {hint(dataset, entries)}")
    video = dataset_sections(config, dataset).video
    limit, links = video.max_failed_fraction, video.link_roots
    found = take_inventory(dataset, entries[dataset], limit, configs, links)
    click.echo(printable(report_inventory(found)))
    if output:
        write_inventory(found, output)
    if similar:
        click.echo(printable(_similar(found, video, similar)))
    found.require_runnable()


def _similar(found: "Inventory", video: "VideoSection", output: Path) -> str:
    """Write the table of similar videos; a summary of it."""
    from mafnet.common.cores import usable_cores
    from mafnet.common.tables import write_table
    from mafnet.video.config import VideoSettings
    from mafnet.video.probe import PROBE_SECONDS, probe_many
    from mafnet.video.similar import similar_videos

    root, cores = Path(found.origin.root), usable_cores()
    videos = sorted(found.videos)
    rows = probe_many(root, videos, cores, PROBE_SECONDS, video.link_roots)
    media = [row for row in rows if row.ok]
    settings = VideoSettings(**video.model_dump())
    pairs = similar_videos(found.splits, media, root, settings, cores)
    header = ("split", "subset", "video", "other_subset", "other_video", "alike")
    write_table(header, pairs, output)
    first = [f"  {a} ({one}) and {b} ({other})" for _, one, a, other, b, _ in pairs[:MAX_SHOWN]]
    count = f"{len(pairs):,} pairs of videos in different subsets look alike; {output} has them"
    return "\n".join(["", count, *first])
