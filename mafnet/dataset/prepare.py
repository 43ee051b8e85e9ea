"""Writes the manifests of a published data set from its lists and the folder of its videos."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import write_json
from mafnet.common.resources import table
from mafnet.common.run_command import check_command
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.lists import digests, read_lists
from mafnet.dataset.locate import list_videos, located, missing_videos
from mafnet.dataset.manifest import SUBSETS, Sample, write_manifest
from mafnet.dataset.sources.base import Source

log = logging.getLogger(__name__)


def prepare(
    source: Source, split: str, lists: Path, root: Path, holdout: Holdout, output: Path
) -> None:
    """Write the manifest of one split, and a description (.json) with counts and notes.

    Missing videos stay in the manifest: the media table lists them as missing.
    """
    samples = samples_of(source, split, lists, root, holdout)
    missing = missing_videos(samples, root)
    if missing:
        log.warning("%s: %d of %d videos are missing, the first is %s; `%s` lists them",
                    split, len(missing), len(_videos(samples)), missing[0],
                    check_command(output.parent.name))  # fmt: skip
    description = {
        "source": source.name,
        "split": split,
        **counts(samples),
        "expected": expected(source.name, split),
        "missing_videos": len(missing),
        "notes": notes(source, split, lists, samples),
    }
    write_json(description, output.with_suffix(".json"))
    write_manifest(samples, output)


def samples_of(
    source: Source, split: str, lists: Path, root: Path, holdout: Holdout
) -> list[Sample]:
    """The samples of a split, with the paths of the videos below `root`."""
    samples = source.samples(read_lists(source, lists), split, holdout)
    if not samples:
        raise MafnetError(f"{lists}: the lists of {source.name} name no video of {split}")
    return located(samples, list_videos(root), source.folded)


def counts(samples: Sequence[Sample]) -> dict:
    """Numbers of rows of each subset, of videos, and of videos in more than one subset."""
    rows = {name: sum(row.subset == name for row in samples) for name in SUBSETS}
    shared = {
        name: len(_videos(row for row in samples if row.subset == name and "train" in row.also_in))
        for name in ("val", "test")
    }
    videos = len(_videos(samples))
    return {
        "rows": rows | {"all": len(samples)},
        "videos": videos,
        "videos_also_in_train": shared,
    }


def expected(name: str, split: str) -> list[dict]:
    """The published counts of a split."""
    keys = ("subset", "unit", "count", "source")
    return [
        {key: int(row[key]) if key == "count" else row[key] for key in keys}
        for row in table("expected.tsv")
        if (row["dataset"], row["split"]) == (name, split)
    ]


def other_counts(found: dict, published: Sequence[dict]) -> list[str]:
    """Messages about counts that differ from the published ones."""
    faults = []
    for row in published:
        number = counted(found, row["subset"], row["unit"])
        if number != row["count"]:
            subset = "" if row["subset"] == "all" else f"{row['subset']} "
            faults.append(f"{number} {subset}{row['unit']} instead of {row['count']}")
    return faults


def counted(found: dict, subset: str, unit: str) -> int:
    """A number of `counts`. subset: `all`, one of the three, or several joined by +."""
    if unit == "videos":
        return found["videos"]
    return sum(found["rows"][name] for name in subset.split("+"))


def notes(source: Source, split: str, lists: Path, samples: Sequence[Sample]) -> list[str]:
    """Notes for the comparison of metrics on this split."""
    found = counts(samples)
    found_notes = [
        f"{count} {subset} videos are also in train, under another label"
        for subset, count in found["videos_also_in_train"].items()
        if count
    ]
    found_notes += [
        f"the lists give {text}" for text in other_counts(found, expected(source.name, split))
    ]
    return found_notes + other_lists(source, lists)


def other_lists(source: Source, lists: Path) -> list[str]:
    """Lists that differ from the published files."""
    known = {
        row["file"]: row["sha256"] for row in table("lists.tsv") if row["dataset"] == source.name
    }
    return [
        f"{name} is not the published file (sha256 {digest[:8]}..., not {known[name]}...)"
        for name, digest in digests(source, lists).items()
        if name in known and not digest.startswith(known[name])
    ]


def _videos(samples: Iterable[Sample]) -> set[str]:
    return {sample.video for sample in samples}
