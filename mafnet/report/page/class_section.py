"""Section `classes`: the accuracy of each class, its confusions and its samples."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mafnet.report.page.verdicts import Verdict, least_sure_hits, most_confident_mistakes

MAX_SAMPLES = 20
"""Largest number of listed samples of a class."""


@dataclass(frozen=True)
class Confusion:
    """Another class, and the number of confused predictions of all runs."""

    name: str
    count: int


@dataclass(frozen=True)
class ClassEntry:
    """The entry of a class.

    accuracy: recall of the class, mean over runs in percent; None if it has no test
        or no training sample.
    interval: 95 % interval of the accuracy.
    predictions: number of predictions of all runs for its samples.
    taken_for: wrong classes predicted for its samples, the most frequent first.
    takes: other classes for whose samples this class was predicted, the most frequent first.
    shown: its samples, mistakes first. hidden: number of samples that are not shown.
    """

    name: str
    samples: int
    accuracy: float | None
    interval: tuple[float, float] | None
    predictions: int
    taken_for: list[Confusion]
    takes: list[Confusion]
    shown: list[Verdict]
    hidden: int

    @property
    def false_alarms(self) -> int:
        """Number of wrong predictions of this class."""
        return sum(confusion.count for confusion in self.takes)


def class_entries(per_class: Mapping[str, Mapping], found: Sequence[Verdict]) -> list[ClassEntry]:
    """One entry for each class, in the order of the network's outputs.

    per_class: `per_class` of metrics.json.
    """
    own: dict[str, list[Verdict]] = {name: [] for name in per_class}
    pairs: Counter = Counter()
    for verdict in found:
        own[verdict.label].append(verdict)
        pairs.update((verdict.label, choice) for choice in verdict.choices)
    return [_entry(name, measured, own[name], pairs) for name, measured in per_class.items()]


def _entry(name: str, measured: Mapping, own: Sequence[Verdict], pairs: Counter) -> ClassEntry:
    ordered = [*most_confident_mistakes(own), *least_sure_hits(own)]
    return ClassEntry(
        name, measured["samples"], measured["accuracy"], measured["ci95"],
        sum(len(verdict.choices) for verdict in own),
        _most(Counter({other: n for (label, other), n in pairs.items() if label == name}), name),
        _most(Counter({label: n for (label, other), n in pairs.items() if other == name}), name),
        ordered[:MAX_SAMPLES], max(0, len(ordered) - MAX_SAMPLES),
    )  # fmt: skip


def _most(counts: Counter, own: str) -> list[Confusion]:
    """All classes except `own`, the most frequent first."""
    return [Confusion(name, count) for name, count in counts.most_common() if name != own]
