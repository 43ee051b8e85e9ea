"""The videos of a file that `mafnet predict --json` wrote, with their predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.features.videos import probe_videos
from mafnet.report.explore.run_videos import best
from mafnet.report.explore.shown_videos import (
    Collection,
    Finding,
    Network,
    Part,
    ShownVideo,
)
from mafnet.video.media import Media

Share = Annotated[float, Field(ge=0, le=1)]


class _Segment(BaseModel):
    """A part of a recording that has a label."""

    start: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    end: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    label: str
    score: Share


class _Video(BaseModel):
    """One video of the file; one that failed has only a status and an error."""

    video: str
    status: str
    error: str = ""
    label: str = ""
    probabilities: dict[str, Share] = {}
    attention: list[dict[str, Annotated[float, Field(ge=0)] | None]] = []
    segments: list[_Segment] | None = None


class _File(BaseModel):
    run: str
    random_weights: list[str] = []
    videos: list[_Video]


def predicted_videos(path: Path, workers: int) -> Collection:
    """The videos of a file of predictions; their paths begin at the current folder.

    The files are probed again, so that only videos are shown. MafnetError if it is no such file.
    """
    found = _read(path)
    failed = [(each.video, f"{each.status}: {each.error}") for each in found.videos if _bad(each)]
    usable = {each.video: each for each in found.videos if not _bad(each)}
    media = probe_videos(list(usable), workers) if usable else []
    failed += [(row.video, f"{row.status}: {row.error or row.status.meaning}")
               for row in media if not row.ok]  # fmt: skip
    if not any(row.ok for row in media):
        raise MafnetError(
            f"{path}: none of its {len(found.videos)} videos can be shown; run the command in the "
            "folder in which mafnet predict ran"
        )
    clips = max((each.attention for each in usable.values()), key=len)
    modalities = tuple(name for name in (clips or [{}])[0] if name not in ("start", "end"))
    videos = {row.video: _shown(row, usable[row.video], modalities) for row in media if row.ok}
    network = Network(found.run, modalities, tuple(found.random_weights))
    return Collection(path.name, (network,), len(clips), videos, failed=tuple(failed))


def _shown(media: Media, video: _Video, modalities: Sequence[str]) -> ShownVideo:
    """A video with its finding, or a recording with its parts."""
    finding, parts, seconds = _finding(video, modalities), None, None
    if video.segments is not None:
        parts = tuple(Part(**each.model_dump()) for each in video.segments)
        ends = [part.end for part in parts]
        seconds = max(media.end_seconds or media.duration_seconds or 1, *ends, 1)
        best_parts = {part.label: part.score for part in sorted(parts, key=lambda one: one.score)}
        top = best(best_parts)
        finding = Finding(top[0][0] if top else "", top, ())
    return ShownVideo(media.video, Path(media.video), "", None, media, (finding,), parts, seconds)


def _read(path: Path) -> _File:
    """The content of the file, checked."""
    try:
        found = _File.model_validate(read_json(path))
    except ValidationError as error:
        raise _other(path, f"{error.error_count()} faults") from error
    for each in found.videos:
        complete = each.attention and each.label in each.probabilities
        if not _bad(each) and each.segments is None and not complete:
            raise _other(path, f"{each.video} has no attention or no probability of its label")
    return found


def _other(path: Path, reason: str) -> MafnetError:
    return MafnetError(
        f"{path}: is no file of `mafnet predict --json` ({reason}); give such a file, or the "
        "folder of a run"
    )


def _bad(video: _Video) -> bool:
    return video.status != "ok"


def _finding(video: _Video, modalities: Sequence[str]) -> Finding:
    scores = tuple(tuple(clip.get(name) for clip in video.attention) for name in modalities)
    return Finding(video.label, best(video.probabilities), scores)
