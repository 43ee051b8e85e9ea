"""Description of a published data set: its lists, protocols and archives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mafnet.dataset.manifest import Sample

if TYPE_CHECKING:
    from mafnet.dataset.holdout import Holdout

Texts = Mapping[str, str]
"""The text of each list, by its key in `Source.lists`."""


@dataclass(frozen=True)
class Protocol:
    """An evaluation protocol of a data set, for metrics.json.

    splits: the folds whose mean is reported.
    classes: name of the class list, resources/classes/{classes}.txt; empty if the sorted labels of
        the lists are the classes.
    note: information for comparisons; it is in metrics.json.
    as_paper: True if the paper used this protocol, False if not, None if unknown.
    silent: the policy for videos without audio that the paper's number of videos suggests; empty if
        nothing suggests one.
    """

    splits: tuple[str, ...]
    classes: str
    note: str
    as_paper: bool | None = True
    silent: str = ""


@dataclass(frozen=True)
class Source:
    """A published data set.

    lists: key of a list -> regular expression of its file name, case-insensitive.
    optional: keys of lists that may be missing.
    protocols: by name; the first is the default.
    samples: lists, split and holdout -> samples, with the paths of the videos in the archive.
    wanted: lists -> function that selects members of an archive by their paths.
    fetch: the published files and their addresses, for a message.
    archive: name of the published archive; empty if there are many.
    folder: name of the folder of the unpacked videos.
    own_lists: names of a folder or zip file of the lists, if they are not with the videos.
    folded: True if names of videos match case-insensitively.
    events: True if the lists record the seconds of the events.
    """

    name: str
    lists: Mapping[str, str]
    protocols: Mapping[str, Protocol]
    samples: "Callable[[Texts, str, Holdout], list[Sample]]"
    wanted: Callable[[Texts], Callable[[str], bool]]
    fetch: str
    folder: str
    archive: str = ""
    own_lists: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    folded: bool = False
    events: bool = False

    @property
    def default(self) -> str:
        """Name of the default protocol."""
        return next(iter(self.protocols))

    def splits_with(self, protocol: str) -> list[str]:
        """The folds of all protocols with the same classes, because they share features."""
        classes = self.protocols[protocol].classes
        same = (entry for entry in self.protocols.values() if entry.classes == classes)
        return [split for entry in same for split in entry.splits]


def lines_of(text: str) -> list[str]:
    """The lines that are not blank, without line ends of any kind."""
    lines = (line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n"))
    return [line for line in lines if line.strip()]


def numbered(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with unique names: the second one of a name gets the suffix `~2`."""
    seen: dict[str, int] = {}
    result = []
    for sample in samples:
        seen[sample.sample] = count = seen.get(sample.sample, 0) + 1
        result.append(replace(sample, sample=f"{sample.sample}~{count}") if count > 1 else sample)
    return result


def declared(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with `also_in` set for videos that are in several subsets."""
    subsets: dict[str, set[str]] = {}
    for sample in samples:
        subsets.setdefault(sample.video, set()).add(sample.subset)
    return [
        replace(sample, also_in=tuple(sorted(subsets[sample.video] - {sample.subset})))
        for sample in samples
    ]
