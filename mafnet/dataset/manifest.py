"""The manifest: a CSV file with one row per sample (columns sample, video, label, subset)."""

import csv
import sys
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing, require_unchanged
from mafnet.dataset.names import folded, look_alikes, name_faults, path_faults, spelling
from mafnet.dataset.spreadsheet import read_table

SUBSETS = ("train", "val", "test")
COLUMNS = ("sample", "video", "label", "subset")
EVENT_COLUMNS = ("event_start", "event_end")
ALSO_IN = "also_in"
"""Optional column: other subsets that contain the row's video or group, separated by blanks.

A video or group in two subsets is an error unless its rows declare it, as in the official split of
AVE.
"""
GROUP = "group"
"""Optional column: the recording, person or place that several videos have in common."""
MAX_SHOWN = 50
"""Maximum number of wrong rows in an error message."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a manifest.

    sample: name, unique in the manifest.
    video: path of the file below the data set's root, with forward slashes. It is relative to the
        root, or absolute.
    label: name of the class.
    subset: "train", "val" or "test".
    event: seconds [start, end) of the event, if the data set records them.
    also_in: other subsets that are declared to contain the video or its group.
    group: videos of one recording have the same group; empty if the video is its own group.
    """

    sample: str
    video: str
    label: str
    subset: str
    event: tuple[float, float] | None = None
    also_in: tuple[str, ...] = ()
    group: str = ""

    @property
    def cluster(self) -> str:
        """The group, or the video if it has none: results of one cluster are not independent."""
        return self.group or self.video


def read_manifest(path: Path, classes: Collection[str] = ()) -> list[Sample]:
    """Read and check a manifest; one MafnetError lists all wrong rows.

    classes: the closed list of labels; empty if any label is allowed.
    """
    problems: list[str] = []
    samples, numbers = [], array("Q")
    for number, row in _rows(path):
        sample, faults = _sample(row, classes)
        problems += [f"row {number}: {fault}" for fault in faults]
        samples.append(sample)
        numbers.append(number)
    if not samples:
        raise MafnetError(f"{path}: has no rows; write one row per sample")
    problems += _repeated_samples(samples, numbers) + _several_groups(samples, numbers)
    for column in ("video", GROUP):
        problems += _in_two_subsets(samples, numbers, column)
    for column in ("sample", "label", GROUP):
        problems += _similar_names(samples, numbers, column)
    if problems:
        raise MafnetError(_report(path, problems))
    return samples


def read_classes(path: Path) -> list[str]:
    """Read a list of classes, one per line; MafnetError if it is empty or has duplicates."""
    _require_file(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MafnetError(f"{path}: cannot be read as a list of classes ({error})") from error
    classes = [line for line in lines if line.strip()]
    if not classes or len(set(classes)) < len(classes):
        raise MafnetError(f"{path}: needs one class per line, without duplicates")
    faults = [fault for name in classes for fault in name_faults("class", name)]
    if faults:
        raise MafnetError(f"{path}: {faults[0]}")
    for name, earlier in look_alikes(classes).items():
        raise MafnetError(
            f"{path}: the classes {spelling(name)} and {spelling(earlier)} look the same; "
            "use one spelling"
        )
    return classes


def write_manifest(samples: Sequence[Sample], path: Path, sealed: bool = True) -> None:
    """Write a manifest, with the optional columns that at least one sample needs.

    sealed: a later change by hand is an error (`mafnet.common.files`).
    """
    events = any(sample.event for sample in samples)
    shared = any(sample.also_in for sample in samples)
    grouped = any(sample.group for sample in samples)
    with (
        replacing(path, sealed=sealed) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        # Python 3.11 does not quote a carriage return, which readers take for the end of a line.
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS + EVENT_COLUMNS * events + (ALSO_IN,) * shared + (GROUP,) * grouped)
        for sample in samples:
            row = (sample.sample, sample.video, sample.label, sample.subset)
            event = sample.event or ("", "")
            chosen = quoted if "\r" in sample.video else writer
            also_in = (" ".join(sample.also_in),)
            chosen.writerow(row + event * events + also_in * shared + (sample.group,) * grouped)


def calibration_videos(path: Path, count: int) -> list[str]:
    """The first `count` training videos of a manifest; rows added at its end change nothing.

    Reads only the rows up to the last of these videos. `read_manifest` checks the others.
    """
    samples = (_sample(row, ()) for _, row in _rows(path))
    training = (row.video for row, faults in samples if row.subset == "train" and not faults)
    return list(islice(_unique(training), count))


def _unique(names: Iterable[str]) -> Iterator[str]:
    """Each name once, in order."""
    seen: set[str] = set()
    for name in names:
        if name not in seen:
            seen.add(name)
            yield name


def require_subsets(samples: Sequence[Sample], needed: Sequence[str], path: Path) -> None:
    """MafnetError if a subset has no sample."""
    present = {sample.subset for sample in samples}
    missing = [subset for subset in needed if subset not in present]
    if missing:
        raise MafnetError(
            f"{path}: no usable sample in subset {' and '.join(missing)}; training needs train "
            "and val, evaluation needs test: give some rows that subset"
        )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str] | None]]:
    """The rows as dictionaries, each with the number of its last line in the file."""
    _require_file(path)
    return read_table(path, COLUMNS, EVENT_COLUMNS)


def _require_file(path: Path) -> None:
    """MafnetError for a FIFO or device, whose reading may never end, and for a damaged file."""
    if path.exists() and not path.is_file():
        raise MafnetError(f"{path}: is not a file; name the file itself")
    require_unchanged(path)


def _sample(row: dict[str, str] | None, classes: Collection[str]) -> tuple[Sample, list[str]]:
    """A row as a sample, and its faults."""
    if row is None:
        return Sample("", "", "", ""), ["has more or fewer fields than the header"]
    faults = [f"{column} is empty" for column in COLUMNS if not row[column].strip()]
    row = {GROUP: "", **row}
    names = ("sample", "label", GROUP)
    faults += [fault for column in names for fault in name_faults(column, row[column])]
    if row["video"].strip():
        faults += path_faults(row["video"])
    if row["subset"].strip() and row["subset"] not in SUBSETS:
        faults.append(f"subset {row['subset']!r} is not one of {', '.join(SUBSETS)}")
    if classes and row["label"].strip() and row["label"] not in classes:
        faults.append(f"label {row['label']!r} is not in the list of classes")
        near = [name for name in classes if folded(name) == folded(row["label"])]
        faults[-1] += f"; did you mean {spelling(near[0])}?" if near else ""
    try:
        event = _event(row)
    except ValueError:
        event = None
        faults.append("event_start and event_end are not seconds with start < end")
    also_in = tuple((row.get(ALSO_IN) or "").split())
    # Two million rows share the few texts of their labels and subsets.
    label, subset = sys.intern(row["label"]), sys.intern(row["subset"])
    group = row[GROUP].strip()
    return Sample(row["sample"], row["video"], label, subset, event, also_in, group), faults


def _event(row: dict[str, str]) -> tuple[float, float] | None:
    """Seconds of the event; ValueError if they are not an interval."""
    fields = [row.get(column, "").strip() for column in EVENT_COLUMNS]
    if not any(fields):
        return None
    start, end = (float(field) for field in fields)
    if not 0 <= start < end < float("inf"):
        raise ValueError
    return start, end


def _repeated_samples(samples: Sequence[Sample], numbers: Sequence[int]) -> list[str]:
    """Rows with the sample name of an earlier row."""
    first: dict[str, int] = {}
    faults = []
    for number, sample in zip(numbers, samples, strict=True):
        if sample.sample and first.setdefault(sample.sample, number) != number:
            faults.append(
                f"row {number}: sample {sample.sample!r} is already in row {first[sample.sample]}"
            )
    return faults


def _similar_names(samples: Sequence[Sample], numbers: Sequence[int], column: str) -> list[str]:
    """Rows with a name that looks like another name of an earlier row."""
    similar = look_alikes(getattr(sample, column) for sample in samples)
    if not similar:
        return []
    first: dict[str, int] = {}
    for number, sample in zip(numbers, samples, strict=True):
        first.setdefault(getattr(sample, column), number)
    return [
        f"row {first[name]}: {column} {spelling(name)} looks like {spelling(earlier)} in row "
        f"{first[earlier]}; use one spelling, or different names"
        for name, earlier in similar.items()
    ]


def _in_two_subsets(samples: Sequence[Sample], numbers: Sequence[int], column: str) -> list[str]:
    """Rows whose video (or group) is in another subset too: it must not be trained on and tested.

    column: `video` or `group`.
    """
    first: dict[str, int] = {}
    faults = []
    for index, sample in enumerate(samples):
        name = getattr(sample, column)
        other = samples[first.setdefault(name, index)]
        if not name or other.subset == sample.subset:
            continue
        if other.subset not in sample.also_in or sample.subset not in other.also_in:
            faults.append(
                f"row {numbers[index]}: {column} {name!r} is in subset {sample.subset} here and in "
                f"{other.subset} in row {numbers[first[name]]}"
            )
    return faults


def _several_groups(samples: Sequence[Sample], numbers: Sequence[int]) -> list[str]:
    """Rows whose video has another group in an earlier row."""
    first: dict[str, int] = {}
    faults = []
    for index, sample in enumerate(samples):
        other = samples[first.setdefault(sample.video, index)]
        if sample.video and other.group != sample.group:
            faults.append(
                f"row {numbers[index]}: video {sample.video!r} has group {sample.group!r} here and "
                f"{other.group!r} in row {numbers[first[sample.video]]}"
            )
    return faults


def _report(path: Path, problems: Sequence[str]) -> str:
    """All wrong rows in one text."""
    shown = [f"  {problem}" for problem in problems[:MAX_SHOWN]]
    more = len(problems) - len(shown)
    tail = [f"  and {more} more"] if more else []
    return "\n".join([f"{path}: {len(problems)} faults; fix these rows:", *shown, *tail])
