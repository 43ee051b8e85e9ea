"""From a published data set's lists and a folder of its videos to manifests."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import write_json
from mafnet.common.resources import table
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.lists import digests, read_lists
from mafnet.dataset.locate import list_videos, located, missing_videos
from mafnet.dataset.manifest import SUBSETS, Sample, write_manifest
from mafnet.dataset.sources.base import Source

log = logging.getLogger(__name__)


def prepare(
    source: Source, split: str, lists: Path, root: Path, holdout: Holdout, output: Path
) -> None:
    """Write the manifest of one split, and beside it (.json) what must be known to compare.

    Videos that are not there stay in the manifest: the media table lists them as missing.
    """
    samples = samples_of(source, split, lists, root, holdout)
    missing = missing_videos(samples, root)
    if missing:
        log.warning("%s: %d of %d videos are missing, the first is %s; `mafnet check` lists all",
                    split, len(missing), len(_videos(samples)), missing[0])  # fmt: skip
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
    """The samples of a split with the videos' paths below `root`."""
    samples = source.samples(read_lists(source, lists), split, holdout)
    if not samples:
        raise MafnetError(f"{lists}: the lists of {source.name} name no video of {split}")
    return located(samples, list_videos(root), source.folded)


def counts(samples: Sequence[Sample]) -> dict:
    """Rows of each subset, videos, videos of several rows, and those in more than one subset."""
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


def deviations(found: dict, published: Sequence[dict]) -> list[str]:
    """Where counts differ from the published ones, in words."""
    faults = []
    for row in published:
        number = counted(found, row["subset"], row["unit"])
        if number != row["count"]:
            subset = "" if row["subset"] == "all" else f"{row['subset']} "
            faults.append(f"{number} {subset}{row['unit']} instead of {row['count']}")
    return faults


def counted(found: dict, subset: str, unit: str) -> int:
    """One number of `counts`: a subset is `all`, one of the three, or several with + between."""
    if unit == "videos":
        return found["videos"]
    return sum(found["rows"][name] for name in subset.split("+"))


def notes(source: Source, split: str, lists: Path, samples: Sequence[Sample]) -> list[str]:
    """What must be known to compare numbers on this split."""
    found = counts(samples)
    said = [
        f"{count} {subset} videos are also in train, under another label"
        for subset, count in found["videos_also_in_train"].items()
        if count
    ]
    said += [f"the lists give {words}" for words in deviations(found, expected(source.name, split))]
    return said + other_lists(source, lists)


def other_lists(source: Source, lists: Path) -> list[str]:
    """Lists whose bytes are not the published ones."""
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
