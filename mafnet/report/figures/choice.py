"""Which figures a data set has, and of which variants and samples they are."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from mafnet.dataset.manifest import Sample

EXAMPLE_STUDY = "modalities"
EXAMPLE_EXTRA = "no_film"
"""The variants of this study, and this one where any study has it, make the paper's Figure 5."""


def example_variants(main: str, studies: Mapping[str, Sequence[str]]) -> list[str]:
    """The variants whose predictions are shown side by side, the main one first."""
    extra = [EXAMPLE_EXTRA] if any(EXAMPLE_EXTRA in names for names in studies.values()) else []
    return list(dict.fromkeys([main, *studies.get(EXAMPLE_STUDY, ()), *extra]))


def drawn(preferred: Sequence[Sample], others: Sequence[Sample], count: int) -> list[Sample]:
    """So many samples, the preferred ones first, of as many classes as there are.

    Chance drew the order once, by hashes of names: the same samples come each time.
    """
    chosen = _round_robin(preferred)[:count]
    known = {sample.label for sample in chosen}
    fresh = [sample for sample in others if sample.label not in known]
    again = [sample for sample in others if sample.label in known]
    return (chosen + _round_robin(fresh) + _round_robin(again))[:count]


def _round_robin(samples: Iterable[Sample]) -> list[Sample]:
    """One sample of each class, then a second of each, and so on."""
    by_class: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: _rank(sample.sample)):
        by_class.setdefault(sample.label, []).append(sample)
    queues = [by_class[name] for name in sorted(by_class, key=_rank)]
    rounds = range(max(map(len, queues), default=0))
    return [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]


def _rank(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
