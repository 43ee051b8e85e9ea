"""Section `media`: numbers of failed and dropped videos and of videos with warnings, by reason."""

from collections.abc import Iterable
from dataclasses import dataclass

from mafnet.features.media_table import media_outcome, media_reasons
from mafnet.video.media import Media

MAX_VIDEOS = 50
"""Largest number of listed videos of a reason."""


@dataclass(frozen=True)
class Reason:
    """A reason with its videos and the decoder's message about each.

    outcome: `warned` (the video is used), `dropped` or `failed`.
    """

    outcome: str
    name: str
    count: int
    shown: list[tuple[str, str]]

    @property
    def hidden(self) -> int:
        """Number of videos that are not listed."""
        return self.count - len(self.shown)


def media_outcomes(media: Iterable[Media]) -> list[Reason]:
    """All reasons, first by outcome (failed, dropped, warned), then the most frequent first."""
    videos: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in media:
        for reason in media_reasons(row):
            videos.setdefault((media_outcome(row), reason), []).append((row.video, row.error))
    order = {"failed": 0, "dropped": 1, "warned": 2}
    ranked = sorted(videos.items(), key=lambda item: (order[item[0][0]], -len(item[1]), item[0]))
    return [Reason(*key, len(listed), listed[:MAX_VIDEOS]) for key, listed in ranked]
