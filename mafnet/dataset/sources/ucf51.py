"""UCF51: the 51 actions of UCF101 (Soomro et al., 2012) with audio, in three splits."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mafnet.common.errors import MafnetError
from mafnet.common.resources import resource
from mafnet.dataset.manifest import Sample, read_classes
from mafnet.dataset.sources.base import Protocol, Source, Texts, lines_of

if TYPE_CHECKING:
    from mafnet.dataset.holdout import Holdout

log = logging.getLogger(__name__)

SPLITS = ("split01", "split02", "split03")
LISTS = "UCF101TrainTestSplits-RecognitionTask.zip"
"""The published archive of the lists."""
GROUP = re.compile(r"_(g\d+)_c\d+$", re.IGNORECASE)


def samples(texts: Texts, split: str, holdout: "Holdout") -> list[Sample]:
    """The samples of one official split; val consists of whole groups of its training list.

    A group (gNN) is one person or location, filmed several times. If clips of a group were in two
    subsets, their background would identify them. The share is a share of the groups of each class.
    """
    number = split.removeprefix("split")
    train = parse(texts[f"train{number}"], "train")
    test = parse(texts[f"test{number}"], "test")
    return _held_out(train, holdout, split) + test


def parse(text: str, subset: str) -> list[Sample]:
    """The rows of a list that have one of the 51 classes, with any line ends.

    A row is `Class/v_Class_g08_c01.avi`; the number of the class may follow.
    """
    found = []
    for line in lines_of(text):
        path = re.sub(r"\s+\d+\s*$", "", line).strip().replace("\\", "/")
        folder = PurePosixPath(path).parent.name
        if not folder or not GROUP.search(PurePosixPath(path).stem):
            raise MafnetError(
                f"UCF101, list of {subset}: {line!r} is not CLASS/v_CLASS_gNN_cNN.avi; extract "
                "the lists from their archive again"
            )
        if label := _classes().get(folder.casefold()):
            stem = PurePosixPath(path).stem
            found.append(Sample(stem, path, label, subset, group=f"{label} {_number(stem)}"))
    return found


def _held_out(train: Sequence[Sample], holdout: "Holdout", split: str) -> list[Sample]:
    """The training samples; those of held-out groups become validation samples."""
    by_class: dict[str, list[str]] = {}
    for sample in train:
        by_class.setdefault(sample.label, []).append(_number(sample.sample))
    chosen = {
        label: holdout.choose(groups, f"{split}/{label}") for label, groups in by_class.items()
    }
    return [
        replace(sample, subset="val") if _number(sample.sample) in chosen[sample.label] else sample
        for sample in train
    ]


def _number(stem: str) -> str:
    """The group of a video within its class, `g08` of `v_Archery_g08_c01`."""
    match = GROUP.search(stem)
    assert match is not None, stem
    return match[1].lower()


def wanted(texts: Texts) -> Callable[[str], bool]:
    """Selects the lists, and the videos in the folders of the 51 classes."""

    def is_wanted(path: str) -> bool:
        parent = PurePosixPath(path).parent.name.casefold()
        return path.endswith(".txt") or (path.lower().endswith(".avi") and parent in _classes())

    return is_wanted


@cache
def _classes() -> dict[str, str]:
    """The 51 classes by their case-folded names."""
    names = read_classes(resource("classes/ucf51.txt"))
    return {name.casefold(): name for name in names}


SOURCE = Source(
    name="ucf51",
    lists={
        f"{kind}{number:02d}": rf"{kind}list{number:02d}\.txt"
        for number in (1, 2, 3)
        for kind in ("train", "test")
    },
    protocols={
        "three_splits": Protocol(
            SPLITS,
            "ucf51",
            "mean over the three official splits; validation is whole groups held out of each "
            "training list, which the paper does not describe; 6,845 videos by the lists, 6,836 in "
            "the paper",
            silent="drop",
        )
    },
    samples=samples,
    wanted=wanted,
    fetch=f"UCF101.rar or its unpacked folder UCF-101, and {LISTS} "
    "(https://www.crcv.ucf.edu/data/UCF101.php)",
    archive="UCF101.rar",
    folder="UCF-101",
    own_lists=(LISTS, "ucfTrainTestlist"),
    folded=True,
)
