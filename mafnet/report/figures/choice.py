"""The choice of the samples in a figure."""

import hashlib
from collections.abc import Iterable, Sequence

from mafnet.dataset.manifest import Sample


def drawn(preferred: Sequence[Sample], others: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` samples, the preferred ones first, of as many classes as possible.

    The order is by hashes of names, so it looks random and is the same in every call.
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
