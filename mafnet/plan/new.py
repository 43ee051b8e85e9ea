"""`mafnet new`: from a folder of labelled videos to a manifest and a file of settings."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from mafnet.common import options
from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError
from mafnet.common.terminal import printable
from mafnet.dataset.labelled import Labelled, find_labelled
from mafnet.dataset.manifest import SUBSETS, Sample, write_manifest
from mafnet.dataset.names import look_alikes, name_faults
from mafnet.dataset.subsets import assign, clusters, require_three_each
from mafnet.plan.own_findings import MAX_NAMED, findings
from mafnet.plan.own_settings import choose_clips, choose_settings, write_settings
from mafnet.video.media import Media

log = logging.getLogger(__name__)


@click.command()
@click.argument("name")
@click.argument("videos", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--group", default="", metavar="PATTERN",
    help="Keeps videos of one recording, person or place in one subset: `folder` (the files of one "
    "folder), or a regular expression, whose match in the path is the group.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the subsets.")
@options.link_roots
@click.option(
    "--threads", type=click.IntRange(1), default=usable_cores, show_default="all usable cores",
    help="Videos to read at the same time.",
)  # fmt: skip
def new(
    name: str, videos: Path, group: str, seed: int, link_roots: tuple[Path, ...], threads: int
) -> None:
    """Write NAME.csv (subsets) and NAME.yaml (settings) for a folder of labelled videos.

    VIDEOS has one folder for each class. Or it is a CSV file with the columns file,label and maybe
    group, in the folder of the videos. Videos that cannot be used are left out and named. Copies of
    a video are kept in one subset. No file is overwritten, and the videos are only read.
    """
    from mafnet.plan.own_sound import soundless

    manifest, settings = Path(f"{name}.csv"), Path(f"{name}.yaml")
    _require_new(name, manifest, settings)
    root, rows, left_out = find_labelled(videos, group)
    rows, media, failed = _usable(root, rows, link_roots, threads)
    samples = _divided(rows, media, seed)
    used = [media[video] for video in dict.fromkeys(sample.video for sample in samples)]
    silent = soundless(root, used, choose_clips(used)[0], threads)
    has_sound = any(row.audio_codec and row.video not in silent for row in used)
    training = sum(sample.subset == "train" for sample in samples)
    entry, reasons = choose_settings(used, training, root, manifest, link_roots, has_sound)
    write_manifest(samples, manifest, sealed=False)  # people change it
    write_settings(name, entry, reasons, settings)
    parts = {
        "Left out": left_out + failed,
        "Chosen": reasons,
        "Thin": findings(samples, media, silent),
        "Written": [f"{manifest}: the subset of each video", f"{settings}: the settings"],
        "Run": [f"mafnet run {name}"],
    }
    click.echo(printable("\n".join([_summary(name, root, samples), *_shown(parts)])))


def _require_new(name: str, *files: Path) -> None:
    """MafnetError for a name that cannot be used and for files that exist."""
    from mafnet.plan.config import read_config

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise MafnetError(f"{name!r} is not a name: use letters, digits and _, first a letter")
    if name in read_config(())["datasets"]:
        raise MafnetError(f"{name} is a data set of config.yaml already; take another name")
    for file in files:
        if file.exists() or file.is_symlink():
            raise MafnetError(
                f"{file} exists and is not overwritten; remove it, or take another name"
            )


def _usable(
    root: Path, rows: Sequence[Labelled], link_roots: Sequence[Path], threads: int
) -> tuple[list[Labelled], dict[str, Media], list[str]]:
    """The rows of usable videos, their media rows, and lines about the others."""
    from mafnet.common.progress import Progress
    from mafnet.video.interruptions import require_none
    from mafnet.video.probe import PROBE_SECONDS, probe_many

    videos = sorted({row.video for row in rows})
    progress, media = Progress("probe", len(videos), "videos", log), {}
    for found in probe_many(root, videos, threads, PROBE_SECONDS, link_roots):
        media[found.video] = found
        progress.advance()
    require_none(list(media.values()))
    failed = [row for row in media.values() if row.failed]
    lines = [
        f"{row.video}: {row.status}{f' ({row.error})' if row.error else ''}"
        for row in failed[:MAX_NAMED]
    ]
    if len(failed) > MAX_NAMED:
        lines.append(f"{len(failed) - MAX_NAMED} more; `mafnet doctor --videos` lists all")
    if len(failed) == len(media):
        raise MafnetError(f"{root}: none of the {len(media)} videos can be read; {lines[0]}")
    return [row for row in rows if media[row.video].ok], media, lines


def _divided(rows: Sequence[Labelled], media: dict[str, Media], seed: int) -> list[Sample]:
    """The rows as samples with subsets and groups, in the order of their paths."""
    rows = sorted(rows, key=lambda row: (row.video, row.label))
    labels = [row.label for row in rows]
    of_row = clusters(
        [row.video for row in rows],
        [media[row.video].sha256 for row in rows],
        [row.group for row in rows],
    )
    require_three_each(labels, of_row)
    subsets = assign(labels, of_row, seed)
    names = _names([row.video for row in rows], "sample")
    groups = _group_names(rows, of_row.tolist())
    return [
        Sample(sample, row.video, row.label, subset, group=group)
        for sample, row, subset, group in zip(names, rows, subsets, groups, strict=True)
    ]


def _group_names(rows: Sequence[Labelled], of_row: Sequence[int]) -> list[str]:
    """The group of each row, named by its first group or video; "" for a video of its own."""
    named: dict[int, str] = {}
    members: dict[int, set[str]] = {}
    for row, number in zip(rows, of_row, strict=True):
        members.setdefault(number, set()).add(row.video)
        named[number] = named.get(number) or row.group
    for row, number in zip(rows, of_row, strict=True):
        if not named[number] and len(members[number]) > 1:
            named[number] = row.video
    unique = dict(zip(named, _names(list(named.values()), "group"), strict=True))
    return [unique[number] if named[number] else "" for number in of_row]


def _names(wanted: Sequence[str], kind: str) -> list[str]:
    """The wanted names; instead of those that a manifest cannot have, the kind and a number."""
    alike, seen, names = look_alikes(wanted), set(), []
    for number, name in enumerate(wanted, start=1):
        bad = name in seen or name in alike or name_faults(kind, name)
        seen.add(name)
        names.append(f"{kind}-{number}" if bad else name)
    return names


def _summary(name: str, root: Path, samples: Sequence[Sample]) -> str:
    counts = Counter(sample.subset for sample in samples)
    sizes = ", ".join(f"{counts[subset]} {subset}" for subset in SUBSETS)
    classes = len({sample.label for sample in samples})
    return f"{name}: {len(samples)} videos of {classes} classes in {root} ({sizes})"


def _shown(parts: dict[str, list[str]]) -> list[str]:
    """Headings, each with its lines; none for a part without lines."""
    return [
        line
        for title, lines in parts.items()
        if lines
        for line in (f"\n{title}", *(f"  {text}" for text in lines))
    ]
