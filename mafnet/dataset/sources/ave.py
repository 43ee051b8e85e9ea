"""AVE (Tian et al., ECCV 2018): 4,143 rows of 4,097 videos; some videos have several labels."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import SUBSETS, Sample
from mafnet.dataset.sources.base import (
    Protocol,
    Source,
    Texts,
    declared,
    lines_of,
    numbered,
)

if TYPE_CHECKING:
    from mafnet.dataset.holdout import Holdout

FIELDS = ("Category", "VideoID", "Quality", "StartTime", "EndTime")


def samples(texts: Texts, split: str, holdout: "Holdout") -> list[Sample]:
    """The samples of the split `official` or `single_label`; nothing is held out.

    single_label excludes every video that has several rows, in any subsets.
    """
    rows = [row for subset in SUBSETS for row in parse(texts[subset], subset)]
    rows = numbered(rows)
    if split == "single_label":
        count = Counter(row.video for row in rows)
        rows = [row for row in rows if count[row.video] == 1]
    return declared(rows)


def parse(text: str, subset: str) -> list[Sample]:
    """The rows of a split file, `Category&VideoID&Quality&StartTime&EndTime`; a header may exist.

    Categories contain commas, blanks and brackets, and ids may begin with `-`. Only `&` separates.
    An empty event (one row, Church bell, ends at its start) is dropped; its sample stays.
    """
    lines = [line for line in lines_of(text) if line.strip() != "&".join(FIELDS)]
    return [_sample(line, subset) for line in lines]


def _sample(line: str, subset: str) -> Sample:
    fields = line.strip().split("&")
    try:
        category, video, _, start, end = fields
        event = (float(start), float(end))
    except ValueError as error:
        raise MafnetError(
            f"AVE, list of {subset}: {line!r} is not {'&'.join(FIELDS)}; extract the split "
            "files from the archive again"
        ) from error
    return Sample(
        video, f"AVE/{video}.mp4", category, subset, event if event[0] < event[1] else None
    )


def wanted(texts: Texts) -> Callable[[str], bool]:
    """Selects videos and lists, without the metadata files of macOS."""
    return lambda path: path.endswith((".mp4", ".txt")) and "__MACOSX" not in path


SOURCE = Source(
    name="ave",
    lists={
        "train": r"trainSet\.txt",
        "val": r"valSet\.txt",
        "test": r"testSet\.txt",
        "annotations": r"Annotations\.txt",
    },
    optional=("annotations",),
    protocols={
        "single_label": Protocol(
            ("single_label",),
            "ave",
            "videos with several labels are left out (3,268/390/394 rows): the paper's test size",
        ),
        "official": Protocol(
            ("official",),
            "ave",
            "all rows (3,339/402/402); the paper's test set had 394, see protocol single_label",
            as_paper=False,
        ),
    },
    samples=samples,
    wanted=wanted,
    fetch="AVE_Dataset.zip (https://drive.google.com/file/d/1FjKwe79e0u96vdjIVwfRQ1V6SoDHe7kK) or "
    "its unpacked folder AVE_Dataset",
    archive="AVE_Dataset.zip",
    folder="AVE_Dataset",
    events=True,
)
