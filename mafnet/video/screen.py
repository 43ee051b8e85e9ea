"""Checks of all probed videos of a data set together, before the hours of extraction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import SUBSETS, Sample
from mafnet.video.media import Media

MAX_NAMED = 5
"""Pairs with different labels that are named; the others are counted."""


def require_few_failed(media: Sequence[Media], limit: float, what: object) -> None:
    """MafnetError, which names `what`, if the share of failed videos is above the limit."""
    failed = [row for row in media if row.failed]
    if len(failed) > limit * len(media):
        first = failed[0]
        raise MafnetError(
            f"{what}: {len(failed)} of {len(media)} videos failed, more than "
            f"video.max_failed_fraction = {limit:g}; the first is {first.video} "
            f"({first.status}: {first.error}); fix the files or raise the limit"
        )


def screen(splits: Mapping[str, Sequence[Sample]], media: Iterable[Media]) -> list[str]:
    """Notes about different files with the same bytes, for each split."""
    digests = {row.video: row.sha256 for row in media if row.sha256}
    return [
        f"{split}: {note}"
        for split, samples in splits.items()
        for note in (*_leaks(_copies(samples, digests)), *_labels(_copies(samples, digests)))
    ]


def _copies(samples: Sequence[Sample], digests: Mapping[str, str]) -> list[list[Sample]]:
    """The samples of each content that several files have."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if digest := digests.get(sample.video):
            groups.setdefault(digest, []).append(sample)
    return [group for group in groups.values() if len({row.video for row in group}) > 1]


def _pairs(group: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """The pairs of samples with different files, in the order of the subsets."""
    ordered = sorted(group, key=lambda row: (SUBSETS.index(row.subset), row.video))
    return (pair for pair in combinations(ordered, 2) if pair[0].video != pair[1].video)


def _leaks(copies: Sequence[Sequence[Sample]]) -> Iterator[str]:
    """A note for each two subsets that have files with the same bytes."""
    for first, second in combinations(SUBSETS, 2):
        shared: dict[str, str] = {}
        for group in copies:
            for one, other in _pairs(group):
                if (one.subset, other.subset) == (first, second):
                    shared.setdefault(other.video, one.video)
        if shared:
            video, twin = next(iter(shared.items()))
            yield (
                f"{len(shared)} {second} video(s) have the same bytes as {first} videos, such as "
                f"{video} and {twin}"
            )


def _labels(copies: Sequence[Sequence[Sample]]) -> Iterator[str]:
    """A note for each pair of files with the same bytes and different labels; a few at most."""
    found = [pair for group in copies for pair in _pairs(group) if pair[0].label != pair[1].label]
    for one, other in found[:MAX_NAMED]:
        yield (
            f"{one.video} ({one.subset}, {one.label}) and {other.video} ({other.subset}, "
            f"{other.label}) have the same bytes but different labels"
        )
    if len(found) > MAX_NAMED:
        yield f"{len(found) - MAX_NAMED} more pairs have the same bytes but different labels"
