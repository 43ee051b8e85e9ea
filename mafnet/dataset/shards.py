"""Shards: groups of videos for one extraction job each, by a stable hash of the path."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_classes, read_manifest
from mafnet.dataset.shard_lists import listed_videos

VIDEOS_PER_SHARD = 128
"""Approximate number of videos per shard, so that a job runs for minutes."""
MOST_SHARDS = 2048
"""Upper limit of the shards. Larger data sets have more videos per shard, because Snakemake needs
milliseconds for each job and a cluster's queue is limited."""


def shard_count(videos: int) -> int:
    """The number of shards for a number of videos: a power of two, so it rarely changes."""
    count = 1
    while count * VIDEOS_PER_SHARD < videos and count < MOST_SHARDS:
        count *= 2
    return count


def shard_of(video: str, shards: int) -> str:
    """The shard of a video, as four or more digits; it does not depend on other videos."""
    digest = hashlib.sha256(video.encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') % shards:04d}"


def shard_videos(videos: Iterable[str], shards: int) -> dict[str, list[str]]:
    """The sorted videos of every shard that is not empty."""
    members: dict[str, list[str]] = {}
    for video in sorted(set(videos)):
        members.setdefault(shard_of(video, shards), []).append(video)
    return dict(sorted(members.items()))


def videos_of_shard(manifests: Sequence[str], classes: str | None, shard: str) -> list[str]:
    """The videos of one shard, from its list or, if there is none, from the manifests."""
    listed = listed_videos(manifests, shard)
    if listed is None:
        return manifest_shards(manifests, classes).get(shard, [])
    return listed


def manifest_shards(
    manifests: Iterable[str],
    classes: str | None = None,
    check: Callable[[list[Sample], Path], None] | None = None,
) -> dict[str, list[str]]:
    """The videos of every shard of all manifests of a data set; one MafnetError lists all faults.

    classes: file with the closed list of labels, or None.
    check: checks the samples of a manifest as a whole; raises MafnetError.
    """
    known = read_classes(Path(classes)) if classes else ()
    videos: set[str] = set()
    faults = []
    for path in manifests:
        try:
            samples = read_manifest(Path(path), known)
            if check:
                check(samples, Path(path))
            videos.update(sample.video for sample in samples)
        except MafnetError as error:
            faults.append(str(error))
    if faults:
        raise MafnetError("\n".join(faults))
    return shard_videos(videos, shard_count(len(videos)))
