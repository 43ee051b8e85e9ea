"""The media table of a data set: results of probing and of both extractions for every video."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from rich.table import Table
from rich.text import Text

from mafnet.common.errors import MafnetError
from mafnet.common.terminal import printable
from mafnet.features.shard_report import Extracted
from mafnet.video.clips import OVERHANG_SECONDS
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.screen import require_few_failed
from mafnet.video.status import MediaWarning, Status

OUTCOMES = ("ok", "warned", "dropped", "failed")

EXAMPLES = 3
"""Number of videos that the table of outcomes names for each reason."""


def merge_media(
    probed: Iterable[Media], reports: Mapping[str, Iterable[Extracted]], settings: VideoSettings
) -> list[Media]:
    """One row a video, sorted. The first failure counts; warnings of all steps are kept.

    reports: rows of the extractions, by modality.
    settings: `silent` and `max_lost_fraction` decide what is usable.
    """
    rows = {row.video: row for row in probed}
    for modality, extracted in reports.items():
        for row in extracted:
            if row.video not in rows:
                raise MafnetError(f"{row.video}: is extracted but not probed; run mafnet probe")
            rows[row.video] = _merged(rows[row.video], row, modality, settings)
    return [rows[video] for video in sorted(rows)]


def usable(media: Sequence[Media], max_failed_fraction: float, path: Path) -> list[Media]:
    """Rows that training may use; MafnetError, which names `path`, if too many failed."""
    require_few_failed(media, max_failed_fraction, path)
    return [row for row in media if row.ok]


def media_counts(media: Iterable[Media]) -> dict:
    """Number of videos by outcome, and number of occurrences of each reason."""
    rows = list(media)
    counts = Counter(map(media_outcome, rows))
    reasons = Counter(chain.from_iterable(map(media_reasons, rows)))
    return {name: counts[name] for name in OUTCOMES} | {"reasons": dict(sorted(reasons.items()))}


def outcome_table(media: Iterable[Media], title: str) -> Table:
    """Table for the terminal: number of videos by outcome and reason, with examples."""
    videos: dict[tuple[str, str], list[str]] = {}
    for row in media:
        for reason in media_reasons(row) or ("",):
            videos.setdefault((media_outcome(row), reason), []).append(row.video)
    table = Table("outcome", "reason", title=Text(printable(title)), title_justify="left")
    table.add_column("videos", justify="right")
    table.add_column("the first", overflow="fold")
    for outcome, reason in sorted(videos, key=lambda key: (OUTCOMES.index(key[0]), key[1])):
        named = videos[outcome, reason]
        first = "" if outcome == "ok" else ", ".join(map(repr, named[:EXAMPLES]))
        # Text, because rich reads [brackets] in a plain string as markup.
        table.add_row(outcome, reason, str(len(named)), Text(first))
    return table


def media_outcome(media: Media) -> str:
    """Outcome of a video, one of OUTCOMES."""
    if media.ok:
        return "warned" if media.warnings else "ok"
    return "failed" if media.failed else "dropped"


def media_reasons(media: Media) -> tuple[str, ...]:
    """Names of the reasons why a video is not used, or of its warnings."""
    return media.warnings if media.ok else (media.status,)


def _merged(media: Media, extracted: Extracted, modality: str, settings: VideoSettings) -> Media:
    """A row with the results of one modality's extraction."""
    if not media.ok:
        return media
    media = replace(
        media,
        warnings=tuple(dict.fromkeys(media.warnings + extracted.warnings)),
        error="; ".join(dict.fromkeys(filter(None, (media.error, extracted.error)))),
        error_lines=media.error_lines + extracted.error_lines,
    )
    if extracted.status != Status.OK:
        return replace(media, status=extracted.status)
    if modality == "audio" and not extracted.clips:
        return _silent(media, settings.silent)
    lost = 1 - extracted.clips / _expected_clips(media, extracted, modality, settings.clips)
    if lost > settings.max_lost_fraction:
        return _damaged(media, f"{lost:.0%} of the {modality} clips are lost")
    corrupt = _corrupt_share(media, extracted, modality, settings.clips)
    if corrupt > settings.max_lost_fraction:
        return _damaged(media, f"{corrupt:.0%} of the {modality} frames are lost or corrupt")
    return media


def _corrupt_share(media: Media, extracted: Extracted, modality: str, clips: int) -> float:
    """Share of the packets of the clips that are corrupt or gave nothing; 0 if not known."""
    packets, seconds = media.video_packets, media.video_duration_seconds
    if modality == "audio":
        packets, seconds = media.audio_packets, media.audio_duration_seconds
    seconds = seconds or media.duration_seconds
    if not packets or not seconds:
        return 0
    return min(extracted.lost_frames / (packets * min(1, clips / seconds)), 1)


def _expected_clips(media: Media, extracted: Extracted, modality: str, clips: int) -> int:
    """Number of clips of a stream by its duration; the extracted clips if it is unknown.

    A stream without a stated duration may be shorter than the container. The container's duration
    counts only if the decoder reported errors.
    """
    start, length = media.video_start_seconds, media.video_duration_seconds
    if modality == "audio":
        start, length = media.audio_start_seconds, media.audio_duration_seconds
    if length is not None:
        end = (start or 0) - (media.start_seconds or 0) + length
    elif extracted.error_lines and media.duration_seconds is not None:
        end = media.duration_seconds
    else:
        return max(extracted.clips, 1)
    return max(min(math.ceil(end - OVERHANG_SECONDS), clips), extracted.clips, 1)


def _damaged(media: Media, what: str) -> Media:
    return replace(media, status=Status.DAMAGED, error="; ".join(filter(None, (what, media.error))))


def _silent(media: Media, policy: str) -> Media:
    """Row of a video without audio, under the policy."""
    if policy == "zero":
        return replace(
            media, warnings=tuple(dict.fromkeys((*media.warnings, MediaWarning.NO_AUDIO)))
        )
    message = media.error or "the file has no audio"
    return replace(
        media, status=Status.DROPPED if policy == "drop" else Status.NO_AUDIO, error=message
    )
