"""`mafnet check`: expected, existing, missing and surplus videos of a data set, before any work."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.run_command import run_command
from mafnet.common.tables import write_table
from mafnet.dataset.config import DEMO, DataSet
from mafnet.dataset.consistency import check_samples
from mafnet.dataset.locate import lies_in, list_videos
from mafnet.dataset.manifest import Sample, read_classes, read_manifest
from mafnet.dataset.origin import Origin, origin_of, protocol_of
from mafnet.dataset.prepare import counted, counts, expected, other_lists, samples_of
from mafnet.dataset.sources import SOURCES

MAX_SHOWN = 10
"""Missing or surplus files that the terminal shows; a table lists all."""


@dataclass(frozen=True)
class Inventory:
    """Result of the comparison of a data set with its files.

    splits: the samples of every split.
    missing: videos of the splits that do not exist in the folder.
    refused: videos of the splits that are links out of the folder and its link roots.
    surplus: videos of the folder that no split names.
    max_failed_fraction: share of missing videos above which a run stops.
    """

    dataset: str
    origin: Origin
    splits: dict[str, list[Sample]]
    missing: list[str]
    refused: list[str]
    surplus: list[str]
    max_failed_fraction: float

    @property
    def videos(self) -> set[str]:
        """All videos of the manifests."""
        return {row.video for rows in self.splits.values() for row in rows}

    def require_runnable(self) -> None:
        """MafnetError if a run would stop because of the manifests or of missing videos."""
        for split, samples in self.splits.items():
            check_samples(samples, Path(self.origin.manifests[split]), self.origin)
        if len(self.missing + self.refused) > self.max_failed_fraction * len(self.videos):
            links = f" or links to other folders ({len(self.refused)})" if self.refused else ""
            allow = ", allow the links with video.link_roots" if self.refused else ""
            raise MafnetError(
                f"{self.dataset}: {len(self.missing + self.refused)} of {len(self.videos)} videos "
                f"are missing{links}, more than video.max_failed_fraction = "
                f"{self.max_failed_fraction:g}; a run would stop: get them{allow}, or raise the "
                "limit"
            )


def take_inventory(
    dataset: str,
    entry: DataSet,
    max_failed_fraction: float,
    configs: Sequence[Path] = (),
    link_roots: Sequence[str] = (),
) -> Inventory:
    """Compare the lists or manifests of a data set with the existing files.

    entry: the entry of the data set in the config.
    max_failed_fraction: share of missing videos above which a run stops.
    configs: the user's files of settings, for commands in messages.
    link_roots: folders outside the folder of the videos to which links may lead.
    """
    origin = origin_of(dataset, entry)
    _require_folders(dataset, origin, configs)
    splits = _splits(dataset, origin)
    named = {row.video for rows in splits.values() for row in rows}
    root = Path(origin.root)
    present = set(list_videos(root).paths)
    gone = {video for video in named - present if not (root / video).is_file()}
    roots = (root, *map(Path, link_roots))
    refused = sorted(video for video in named - gone if not lies_in(root / video, roots))
    surplus = sorted(present - {os.path.relpath(root / video, root) for video in named})
    return Inventory(dataset, origin, splits, sorted(gone), refused, surplus, max_failed_fraction)


def report_inventory(found: Inventory) -> str:
    """The inventory as readable text."""
    lines = [
        *_about(found),
        *_samples_and_videos(found),
        *_subsets(found),
        *_notes(found),
        *_classes(found),
        *_files("missing", found.missing),
        *(_files("links to other folders (not opened)", found.refused) if found.refused else ()),
        *_files("surplus", found.surplus),
    ]
    return "\n".join(lines)


def write_inventory(found: Inventory, path: Path) -> None:
    """Write a table with the status of every video: ok, missing, outside_root or surplus."""
    status = dict.fromkeys(found.missing, "missing") | dict.fromkeys(found.refused, "outside_root")
    rows = [(video, status.get(video, "ok")) for video in found.videos]
    rows += [(video, "surplus") for video in found.surplus]
    write_table(("video", "status"), sorted(rows), path)


def _splits(dataset: str, origin: Origin) -> dict[str, list[Sample]]:
    """The samples of all splits, from the user's manifests or from published lists."""
    if origin.source in SOURCES:
        source, (lists, root) = SOURCES[origin.source], (Path(origin.lists), Path(origin.root))
        return {
            split: samples_of(source, split, lists, root, origin.holdout)
            for split in origin.manifests
        }
    classes: Collection[str] = read_classes(Path(origin.classes)) if origin.classes else ()
    return {split: read_manifest(Path(path), classes) for split, path in origin.manifests.items()}


def _require_folders(dataset: str, origin: Origin, configs: Sequence[Path]) -> None:
    """MafnetError if the videos do not exist yet, or if the root is wrong."""
    if origin.missing:
        raise MafnetError(origin.missing)
    unpacked = Path(f"data/{dataset}/unpacked.tsv")
    if origin.source == DEMO and not Path(origin.manifests["main"]).exists():
        raise MafnetError(
            f"{dataset}: its videos do not exist yet; a run generates them, or first "
            f"`{run_command(origin.manifests['main'], configs)}`"
        )
    if origin.archive and not unpacked.exists():
        source = "downloaded" if origin.download else "unpacked"
        raise MafnetError(
            f"{dataset}: its archives are not {source} yet; a run does it, or first "
            f"`{run_command(str(unpacked), configs)}`"
        )
    if not Path(origin.root).is_dir():
        raise MafnetError(
            f"{dataset}: {origin.root} is not a folder; give the folder of the videos"
        )


def _about(found: Inventory) -> list[str]:
    """Data set, protocol and folders."""
    origin = found.origin
    protocol = protocol_of(origin.source, origin.protocol)
    note = f": {protocol.note}" if protocol else ""
    return [
        f"{found.dataset} ({origin.source or 'your own'})",
        f"protocol {origin.protocol}{note}",
        f"splits shown in metrics.json: {', '.join(origin.shown)}; made: {', '.join(found.splits)}",
        f"videos in {origin.root}" + (f", lists in {origin.lists}" if origin.lists else ""),
    ]


def _samples_and_videos(found: Inventory) -> list[str]:
    """The number of existing files, and why there may be fewer files than rows."""
    rows = max(found.splits.values(), key=len)
    several = Counter(Counter(row.video for row in rows).values())
    videos = sum(several.values())
    existing = len(found.videos) - len(found.missing)
    lines = ["", f"{existing:,} of {len(found.videos):,} videos exist"]
    if videos < len(rows):
        labels = ", ".join(f"{count} have {n}" for n, count in sorted(several.items()) if n > 1)
        lines.append(
            f"{videos:,} files for {len(rows):,} rows: a row is a sample, a video may have several "
            f"labels ({labels} rows); its features are extracted once"
        )
    return lines


def _subsets(found: Inventory) -> list[str]:
    """Rows and videos of every split and subset, with the published counts."""
    missing = set(found.missing)
    lines = ["", f"{'split':14}{'subset':12}{'expected':>10}{'rows':>8}{'videos':>8}{'missing':>9}"]
    for split, samples in found.splits.items():
        known = _expected_rows(found.origin.source, split)
        for subset in ("train", "val", "test"):
            rows = [row for row in samples if row.subset == subset]
            lines.append(_line(split, subset, known.get(subset, ""), rows, missing))
        if "train+val" in known:
            rows = [row for row in samples if row.subset != "test"]
            lines.append(_line(split, "train+val", known["train+val"], rows, missing))
    return lines


def _line(
    split: str, subset: str, known: str, rows: Sequence[Sample], missing: Collection[str]
) -> str:
    videos = {row.video for row in rows}
    gone = len(videos & set(missing))
    return f"{split:14}{subset:12}{known:>10}{len(rows):>8,}{len(videos):>8,}{gone:>9,}"


def _expected_rows(source: str, split: str) -> dict[str, str]:
    return {
        row["subset"]: f"{row['count']:,}"
        for row in expected(source, split)
        if row["unit"] == "rows"
    }


def _notes(found: Inventory) -> list[str]:
    """Differences from the published data set, and known faults of the published data set."""
    notes = []
    for split, samples in found.splits.items():
        numbers = counts(samples)
        for subset, shared in numbers["videos_also_in_train"].items():
            if shared:
                notes.append(
                    f"{split}: {shared} {subset} videos are also in train, with another label"
                )
        for row in expected(found.origin.source, split):
            number = counted(numbers, row["subset"], row["unit"])
            if number != row["count"]:
                of = f"{row['subset']} {row['unit']}".removeprefix("all ")
                notes.append(f"{split}: {number:,} {of}, {row['count']:,} expected")
    if found.origin.source in SOURCES:
        notes += other_lists(SOURCES[found.origin.source], Path(found.origin.lists))
    return ["", *(f"note: {note}" for note in notes)] if notes else []


def _classes(found: Inventory) -> list[str]:
    """Expected and existing videos of each class of the shown splits, if any are missing."""
    missing = set(found.missing)
    shown = [row for split in found.origin.shown for row in found.splits[split]]
    named = Counter(label for label, _ in {(row.label, row.video) for row in shown})
    gone = Counter(
        label for label, video in {(row.label, row.video) for row in shown} if video in missing
    )
    absent = _absent(found.origin.classes, named)
    if not gone and not absent:
        return ["", f"all videos of all {len(named)} classes exist"]
    lines = ["", f"{'class':34}{'expected':>10}{'exist':>8}{'missing':>9}"]
    lines += [
        f"{label:34}{named[label]:>10,}{named[label] - gone[label]:>8,}{gone[label]:>9,}"
        for label in sorted(named)
    ]
    return lines + [f"{label:34}{'not in the lists':>27}" for label in absent]


def _absent(classes: str | None, named: Collection[str]) -> list[str]:
    """Classes without a video in the lists."""
    known = read_classes(Path(classes)) if classes else []
    return [label for label in known if label not in named]


def _files(what: str, paths: Iterable[str]) -> list[str]:
    """The number of files and the first of them."""
    paths = list(paths)
    if not paths:
        return ["", f"{what}: none"]
    more = len(paths) - MAX_SHOWN
    tail = [f"  and {more:,} more (--output FILE lists all)"] if more > 0 else []
    return ["", f"{what}: {len(paths):,}", *(f"  {path}" for path in paths[:MAX_SHOWN]), *tail]
