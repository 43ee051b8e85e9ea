"""What mafnet knows of a published data set: its lists, its protocols, what its archives hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mafnet.dataset.manifest import Sample

if TYPE_CHECKING:
    from mafnet.dataset.holdout import Holdout

Texts = Mapping[str, str]
"""The contents of a data set's lists, by what each is for (a key of `Source.lists`)."""


@dataclass(frozen=True)
class Protocol:
    """One way to measure on a data set: what metrics.json shows.

    splits: the folds whose mean is shown.
    classes: name of the class list, resources/classes/{classes}.txt.
    note: what one must know to compare; stands in metrics.json.
    as_paper: False where the paper's figure was not measured this way, None where nobody knows.
    """

    splits: tuple[str, ...]
    classes: str
    note: str
    as_paper: bool | None = True


@dataclass(frozen=True)
class Source:
    """A published data set.

    lists: what a list is for -> regular expression of its file name, without regard to case.
    optional: lists that may be absent.
    protocols: by name; the first is the default.
    samples: lists, split and holdout -> samples, with the video's path as the archive has it.
    wanted: lists -> which members of an archive are unpacked, by their paths.
    folded: True where names of videos are to be matched without regard to case.
    events: True where the lists say in which seconds the event is.
    """

    name: str
    lists: Mapping[str, str]
    protocols: Mapping[str, Protocol]
    samples: "Callable[[Texts, str, Holdout], list[Sample]]"
    wanted: Callable[[Texts], Callable[[str], bool]]
    optional: tuple[str, ...] = ()
    folded: bool = False
    events: bool = False

    @property
    def default(self) -> str:
        """The protocol that is shown where none is named."""
        return next(iter(self.protocols))

    def splits_with(self, protocol: str) -> list[str]:
        """The folds of all protocols that have the same classes: they share their features."""
        classes = self.protocols[protocol].classes
        same = (entry for entry in self.protocols.values() if entry.classes == classes)
        return [split for entry in same for split in entry.splits]


def lines_of(text: str) -> list[str]:
    """The lines that hold anything, whatever ends them; other blanks stay."""
    lines = (line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n"))
    return [line for line in lines if line.strip()]


def numbered(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with names of their own: the second of one name gets `~2` behind it."""
    seen: dict[str, int] = {}
    result = []
    for sample in samples:
        seen[sample.sample] = count = seen.get(sample.sample, 0) + 1
        result.append(replace(sample, sample=f"{sample.sample}~{count}") if count > 1 else sample)
    return result


def declared(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, those of a video that is in other subsets too saying so (`also_in`)."""
    subsets: dict[str, set[str]] = {}
    for sample in samples:
        subsets.setdefault(sample.video, set()).add(sample.subset)
    return [
        replace(sample, also_in=tuple(sorted(subsets[sample.video] - {sample.subset})))
        for sample in samples
    ]
