"""Which figures a data set has, and of which variants and samples they are."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mafnet.dataset.manifest import Sample, read_manifest
from mafnet.dataset.origin import DEMO, Origin
from mafnet.dataset.sources import SOURCES

EXAMPLE_STUDY = "modalities"
EXAMPLE_EXTRA = "no_film"
"""The variants of this study, and this one where any study has it, make the paper's Figure 5."""


def records_events(origin: Origin) -> bool:
    """True if the data set says when its events happen; of users' manifests, one must."""
    if origin.maker:
        return origin.maker == DEMO or SOURCES[origin.source].events
    paths = [Path(path) for path in origin.manifests.values()]
    return any(sample.event for path in paths for sample in read_manifest(path))


def example_variants(main: str, studies: Mapping[str, Sequence[str]]) -> list[str]:
    """The variants whose predictions are shown side by side, the main one first."""
    extra = [EXAMPLE_EXTRA] if any(EXAMPLE_EXTRA in names for names in studies.values()) else []
    return list(dict.fromkeys([main, *studies.get(EXAMPLE_STUDY, ()), *extra]))


def drawn(samples: Iterable[Sample], count: int) -> list[Sample]:
    """So many samples of as many classes as there are, the same ones each time.

    The order in which they are given decides between samples of a class only by its groups: give
    what is preferred first. Classes are drawn by a hash of their names.
    """
    by_class: dict[str, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.label, []).append(sample)
    queues = [by_class[name] for name in sorted(by_class, key=_rank)]
    rounds = range(max(map(len, queues), default=0))
    taken = [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]
    return taken[:count]


def shuffled(samples: Iterable[Sample]) -> list[Sample]:
    """The samples in an order that chance drew once, by a hash of their names."""
    return sorted(samples, key=lambda sample: _rank(sample.sample))


def _rank(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
