"""The media table of a data set: what probing and both extractions say of every video."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mafnet.errors import MafnetError
from mafnet.features.extract import Extracted
from mafnet.video.media import OK, Media

DROPPED = "dropped"
"""Status of a video without sound under the policy "drop": left out, but no failure."""

NO_AUDIO = "no_audio"


def merge_media(
    probed: Iterable[Media], reports: Mapping[str, Iterable[Extracted]], silent: str
) -> list[Media]:
    """One row a video, sorted: the first failure counts, warnings of all steps are kept.

    reports: rows of the extractions, by modality.
    silent: the policy for videos without sound: "zero", "drop" or "fail".
    """
    rows = {row.video: row for row in probed}
    for modality, extracted in reports.items():
        for row in extracted:
            rows[row.video] = _merged(rows[row.video], row, modality, silent)
    return [rows[video] for video in sorted(rows)]


def usable(media: Sequence[Media], max_failed_fraction: float, source: object) -> list[Media]:
    """The rows that training may use; MafnetError if too many failed."""
    failed = [row for row in media if row.status not in (OK, DROPPED)]
    if len(failed) > max_failed_fraction * len(media):
        first = failed[0]
        raise MafnetError(
            f"{source}: {len(failed)} of {len(media)} videos failed, more than "
            f"video.max_failed_fraction = {max_failed_fraction:g}; the first is {first.video} "
            f"({first.status}: {first.error}); mend the files or raise the limit"
        )
    return [row for row in media if row.ok]


def media_counts(media: Iterable[Media]) -> dict:
    """How many videos are ok, warned and failed, and how often each reason was given."""
    counts = {"ok": 0, "warned": 0, "failed": 0, "dropped": 0}
    reasons: dict[str, int] = {}
    for row in media:
        kind = row.status if row.status in (OK, DROPPED) else "failed"
        counts["warned" if row.ok and row.warnings else kind] += 1
        for reason in row.warnings if row.ok else (row.status,):
            reasons[reason] = reasons.get(reason, 0) + 1
    return counts | {"reasons": dict(sorted(reasons.items()))}


def log_media(media: Sequence[Media], log: logging.Logger) -> None:
    """Say how many videos are usable, and why the others are not."""
    counts = media_counts(media)
    reasons = ", ".join(f"{name} {count}" for name, count in counts["reasons"].items())
    usable_videos = counts["ok"] + counts["warned"]
    log.info("%d of %d videos are usable%s", usable_videos, len(media),
             f" ({reasons})" if reasons else "")  # fmt: skip
    for row in media:
        if not row.ok:
            log.warning("%s: %s: %s", row.video, row.status, row.error)


def _merged(media: Media, extracted: Extracted, modality: str, silent: str) -> Media:
    """A row with what one modality's extraction adds to it."""
    if not media.ok:
        return media
    warnings = tuple(dict.fromkeys(media.warnings + extracted.warnings))
    error = "; ".join(dict.fromkeys(filter(None, (media.error, extracted.error))))
    media = replace(media, warnings=warnings, error=error)
    if extracted.status != OK:
        return replace(media, status=extracted.status)
    if modality == "audio" and not extracted.clips:
        return _silent(media, silent)
    return media


def _silent(media: Media, policy: str) -> Media:
    """A row of a video without sound under the policy."""
    if policy == "zero":
        return replace(media, warnings=tuple(dict.fromkeys((*media.warnings, NO_AUDIO))))
    words = media.error or "the file has no sound"
    return replace(media, status=DROPPED if policy == "drop" else NO_AUDIO, error=words)
