"""Kinetics-Sounds: the 32 (or 31) audible classes of Kinetics-400."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mafnet.common.errors import MafnetError
from mafnet.common.resources import resource
from mafnet.dataset.manifest import Sample, read_classes
from mafnet.dataset.sources.base import Protocol, Source, Texts, numbered

if TYPE_CHECKING:
    from mafnet.dataset.holdout import Holdout

COLUMNS = ("label", "youtube_id", "time_start", "time_end")


def samples(texts: Texts, split: str, holdout: "Holdout") -> list[Sample]:
    """The samples of a class list (`ks32`, `ks31`): Kinetics train is train and val, val is test.

    The validation share is held out class by class. The test list of Kinetics is not used.
    """
    classes = set(read_classes(resource(f"classes/{split}.txt")))
    train = parse(texts["train"], "train", classes)
    return numbered(_held_out(train, holdout) + parse(texts["val"], "test", classes))


def parse(text: str, subset: str, classes: Iterable[str]) -> list[Sample]:
    """The rows of an annotation file that have one of the classes."""
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise MafnetError(
            f"Kinetics-400, list for {subset}: is not a CSV file ({error})"
        ) from error
    if missing:
        raise MafnetError(
            f"Kinetics-400, list for {subset}: has no column {', '.join(missing)}; use the "
            "annotations of the 2017 release (train.csv, val.csv)"
        )
    return [_sample(row, number, subset) for number, row in rows if row["label"] in classes]


def _sample(row: dict[str, str], number: int, subset: str) -> Sample:
    try:
        start, end = int(float(row["time_start"])), int(float(row["time_end"]))
    except (TypeError, ValueError, OverflowError) as error:
        raise MafnetError(
            f"Kinetics-400, list for {subset}, row {number}: time_start or time_end is not seconds"
        ) from error
    stem = f"{row['youtube_id']}_{start:06d}_{end:06d}"
    return Sample(stem, f"{stem}.mp4", row["label"], subset)


def _held_out(train: list[Sample], holdout: "Holdout") -> list[Sample]:
    """The training samples; the held-out ones of each class become validation samples."""
    by_class: dict[str, list[str]] = {}
    for sample in train:
        by_class.setdefault(sample.label, []).append(sample.video)
    chosen = {label: holdout.choose(videos, label) for label, videos in by_class.items()}
    return [
        replace(sample, subset="val") if sample.video in chosen[sample.label] else sample
        for sample in train
    ]


def wanted(texts: Texts) -> Callable[[str], bool]:
    """Selects the clips of the 32 classes by their file names."""
    classes = set(read_classes(resource("classes/ks32.txt")))
    rows = parse(texts["train"], "train", classes) + parse(texts["val"], "test", classes)
    names = {sample.video for sample in rows}
    return lambda path: PurePosixPath(path).name in names


NOTE = (
    "Kinetics train, a share of each class held out for validation, and Kinetics val as test; the "
    "paper does not state its split, and everybody lacks some 2 % of the clips"
)

SOURCE = Source(
    name="kinetics_sounds",
    lists={
        "train": r"(kinetics[-_]?(400|k400)?[-_])?train\.csv",
        "val": r"(kinetics[-_]?(400|k400)?[-_])?val(idate)?\.csv",
    },
    protocols={
        "ks32": Protocol(("ks32",), "ks32", NOTE, as_paper=None),
        "ks31": Protocol(
            ("ks31",), "ks31", f"31 classes, the paper had 32; {NOTE}", as_paper=False
        ),
    },
    samples=samples,
    wanted=wanted,
    fetch="a folder kinetics400 with the clips (or a folder archives with the tar files of "
    "https://s3.amazonaws.com/kinetics/400/train/k400_train_path.txt and the same for val), and a "
    "folder annotations with train.csv and val.csv (https://s3.amazonaws.com/kinetics/400/"
    "annotations/train.csv)",
    folder="kinetics400",
    own_lists=("annotations",),
)
