"""What is thin in people's own data, found before any training."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from mafnet.dataset.manifest import SUBSETS, Sample
from mafnet.video.media import Media

FEW = 10
"""Number of videos of a class below which its accuracy is nearly unknown."""
UNEQUAL = 10
"""How many times as many videos one class may have as another without a note."""
MAX_NAMED = 10


def findings(
    samples: Sequence[Sample], media: Mapping[str, Media], soundless: Collection[str] = ()
) -> list[str]:
    """Lines about samples of usable videos.

    media: the row of each video. soundless: videos with an audio track that is silent.
    """
    labels = {sample.video: sample.label for sample in samples}
    silent = {video for video in labels if video in soundless or not media[video].audio_codec}
    found = (*_few(samples), *_absent(samples), *_silent(labels, silent, len(soundless)))
    return [*found, *_copies(samples, media)]


def named(names: Sequence[str]) -> str:
    """Names in quotes, at most MAX_NAMED."""
    more = len(names) - MAX_NAMED
    return ", ".join(map(repr, names[:MAX_NAMED])) + (f" and {more} more" if more > 0 else "")


def _few(samples: Sequence[Sample]) -> list[str]:
    """Small classes, unequal classes, a small test subset."""
    counts = Counter(sample.label for sample in samples)
    few = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < FEW]
    lines = [f"classes with fewer than {FEW} videos: {named(few)}"] if few else []
    if max(counts.values()) > UNEQUAL * min(counts.values()):
        (large, most), (small, least) = counts.most_common()[0], counts.most_common()[-1]
        lines.append(
            f"{large!r} has {most} videos and {small!r} {least}: read the balanced accuracy"
        )
    tested = sum(sample.subset == "test" for sample in samples)
    if tested < 100:
        lines.append(f"{tested} test videos: one video is {100 / tested:.1f} points of accuracy")
    return lines


def _absent(samples: Sequence[Sample]) -> list[str]:
    """Classes that a subset lacks, because their groups are few."""
    labels = {sample.label for sample in samples}
    lines = []
    for subset in SUBSETS:
        absent = sorted(labels - {row.label for row in samples if row.subset == subset})
        lines += [f"no {subset} video of {named(absent)}, because of the groups"] if absent else []
    return lines


def _silent(labels: Mapping[str, str], silent: Collection[str], soundless: int) -> list[str]:
    """Videos without sound, above all where that tells the class.

    soundless: how many of them have an audio track.
    """
    if silent and len(silent) == len(labels):
        return ["no video has sound: only the frames are used"]
    count, lines = len(silent) - soundless, []
    if count:
        lines.append(
            f"{count} of {len(labels)} videos have no sound: their audio features are zero"
        )
    if soundless:
        lines.append(f"{soundless} of {len(labels)} videos have only digital silence as sound")
    heard = {label for video, label in labels.items() if video not in silent}
    whole = sorted(set(labels.values()) - heard)
    if whole:
        lines.append(
            f"all videos of {named(whole)} have no sound, others have: the network can learn that "
            "instead of the event"
        )
    return lines


def _copies(samples: Sequence[Sample], media: Mapping[str, Media]) -> list[str]:
    """Files with the same bytes as another, and those with another label."""
    by_content: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        digest = media[sample.video].sha256
        by_content[digest].add(sample.video)
        labels[digest].add(sample.label)
    copies = sum(len(videos) - 1 for videos in by_content.values())
    lines = (
        [f"files with the same bytes as another: {copies}; copies are in one subset"]
        if copies
        else []
    )
    both = [min(by_content[digest]) for digest, found in labels.items() if len(found) > 1]
    if both:
        lines.append(f"videos with the same bytes and several labels: {named(sorted(both))}")
    return lines
