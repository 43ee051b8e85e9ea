"""What the page shows: the videos, and for each what one or two networks found in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.video.media import Media

Scores = tuple[tuple[float | None, ...], ...]
"""Attention scores (K, T); None where a clip is padding."""


RECORDING_SECONDS = 600
"""Seconds of a copy of a recording of any length."""


@dataclass(frozen=True)
class Network:
    """A network whose predictions are shown.

    name: of the run. modalities: names (K,); none if the network has no attention.
    random: modalities whose backbones have random weights.
    """

    name: str
    modalities: tuple[str, ...]
    random: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """The prediction of one network for one video.

    top: the most probable classes with their probabilities, the best first; the label is among
        them. attention: its sum is 1.
    """

    predicted: str
    top: tuple[tuple[str, float], ...]
    attention: Scores


@dataclass(frozen=True)
class Part:
    """A part of a recording that has a label: seconds [start, end) and the mean score."""

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True)
class ShownVideo:
    """A video and the findings of the networks in their order.

    name: of the sample, or of the file. label: the true class; empty if it is not known.
    media: its row of the media table. None if it has none. parts: of a recording that windows were
    moved over; None for other videos. seconds: length of such a recording.
    """

    name: str
    path: Path
    label: str
    event: tuple[float, float] | None
    media: Media | None
    findings: tuple[Finding, ...]
    parts: tuple[Part, ...] | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Collection:
    """The videos of a data set, or those of a file of predictions, by name.

    origin: name of the data set or of the file. clips: T. roots: folders that links must not
    leave. None: they may lead anywhere. failed: videos that could not be used, with the reason.
    """

    origin: str
    networks: tuple[Network, ...]
    clips: int
    videos: Mapping[str, ShownVideo]
    roots: tuple[Path, ...] | None = None
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def copy_seconds(self) -> int:
        """Seconds of a copy for browsers: those that the network read, and one more."""
        recordings = any(video.parts is not None for video in self.videos.values())
        return RECORDING_SECONDS if recordings else self.clips + 1

    @property
    def title(self) -> str:
        """The networks and the origin of the videos."""
        return f"{' and '.join(network.name for network in self.networks)} on {self.origin}"


def compared(first: Collection, other: Collection) -> Collection:
    """The videos of both, with the findings of both; MafnetError if they have none in common."""
    if any(video.parts is not None for one in (first, other) for video in one.videos.values()):
        raise MafnetError("predictions of --windows cannot be compared; give one file or run")
    common = [name for name in first.videos if name in other.videos]
    if not common:
        raise MafnetError(
            f"{other.title}: has no video in common with {first.title}; compare runs of one split, "
            "or predictions for the same files"
        )
    videos = {
        name: replace(
            first.videos[name],
            findings=first.videos[name].findings + other.videos[name].findings,
        )
        for name in common
    }
    return replace(
        first,
        networks=first.networks + other.networks,
        clips=max(first.clips, other.clips),
        videos=videos,
    )
