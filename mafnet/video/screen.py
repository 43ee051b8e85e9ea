"""Checks of all probed videos of a data set together, before the hours of extraction."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice
from math import comb

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


def _ordered(group: Iterable[Sample]) -> list[Sample]:
    return sorted(group, key=lambda row: (SUBSETS.index(row.subset), row.video))


def _leaks(copies: Sequence[Sequence[Sample]]) -> Iterator[str]:
    """A note for each two subsets that have files with the same bytes."""
    shared: dict[tuple[str, str], dict[str, str]] = {pair: {} for pair in combinations(SUBSETS, 2)}
    for group in copies:
        videos: dict[str, list[str]] = {}
        for row in _ordered(group):
            videos.setdefault(row.subset, []).append(row.video)
        for first, second in combinations(videos, 2):
            # A large group must not be compared pair by pair: the first other file is enough.
            twins = list(dict.fromkeys(videos[first]))[:2]
            for video in videos[second]:
                if others := [twin for twin in twins if twin != video]:
                    shared[first, second].setdefault(video, others[0])
    for (first, second), found in shared.items():
        if found:
            video, twin = next(iter(found.items()))
            yield (
                f"{len(found)} {second} video(s) have the same bytes as {first} videos, such as "
                f"{video} and {twin}"
            )


def _labels(copies: Sequence[Sequence[Sample]]) -> Iterator[str]:
    """A note for each pair of files with the same bytes and different labels; a few at most."""
    odd = [group for group in copies if _odd_pairs(group)]
    pairs = (pair for group in odd for pair in combinations(_ordered(group), 2) if _is_odd(*pair))
    for one, other in islice(pairs, MAX_NAMED):
        yield (
            f"{one.video} ({one.subset}, {one.label}) and {other.video} ({other.subset}, "
            f"{other.label}) have the same bytes but different labels"
        )
    count = sum(map(_odd_pairs, odd))
    if count > MAX_NAMED:
        yield f"{count - MAX_NAMED} more pairs have the same bytes but different labels"


def _is_odd(one: Sample, other: Sample) -> bool:
    return one.video != other.video and one.label != other.label


def _odd_pairs(group: Sequence[Sample]) -> int:
    """The number of pairs with different files and labels, in time linear in the group's size."""
    same_file = _equal_pairs(row.video for row in group)
    same_label = _equal_pairs(row.label for row in group)
    same_both = _equal_pairs((row.video, row.label) for row in group)
    return comb(len(group), 2) - same_file - same_label + same_both


def _equal_pairs(values: Iterable[object]) -> int:
    return sum(comb(count, 2) for count in Counter(values).values())
