"""The videos of a file that `mafnet predict --json` wrote, with their predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.features.videos import probe_videos
from mafnet.report.explore.run_videos import best
from mafnet.report.explore.shown_videos import Collection, Finding, Network, ShownVideo


class _Video(BaseModel):
    """One video of the file; one that failed has only a status and an error."""

    video: str
    status: str
    error: str = ""
    label: str = ""
    probabilities: dict[str, float] = {}
    attention: list[dict[str, float | None]] = []
    segments: list[Any] | None = None


class _File(BaseModel):
    run: str
    random_weights: list[str] = []
    videos: list[_Video]


def predicted_videos(path: Path, workers: int) -> Collection:
    """The videos of a file of predictions; their paths begin at the current folder.

    The files are probed again, so that only videos are shown. MafnetError if it is no such file.
    """
    try:
        found = _File.model_validate(read_json(path))
    except ValidationError as error:
        raise MafnetError(
            f"{path}: is no file of `mafnet predict --json` ({error.error_count()} faults); give "
            "such a file, or the folder of a run"
        ) from error
    if any(each.segments is not None for each in found.videos):
        raise MafnetError(f"{path}: was made with --windows; run mafnet predict without it")
    failed = [(each.video, f"{each.status}: {each.error}") for each in found.videos if _bad(each)]
    videos = {each.video: each for each in found.videos if not _bad(each)}
    shown = {}
    for media in probe_videos(list(videos), workers) if videos else []:
        if media.ok:
            each = videos[media.video]
            finding = Finding(each.label, best(each.probabilities), _attention(each.attention))
            shown[each.video] = ShownVideo(
                each.video, Path(each.video), "", None, media, (finding,)
            )
        else:
            failed.append((media.video, f"{media.status}: {media.error or media.status.meaning}"))
    if not shown:
        raise MafnetError(
            f"{path}: none of its {len(found.videos)} videos can be shown; run the command in the "
            "folder in which mafnet predict ran"
        )
    first = next(iter(videos.values())).attention
    modalities = tuple(name for name in (first[0] if first else {}) if name not in ("start", "end"))
    network = Network(found.run, modalities, tuple(found.random_weights))
    clips = max(len(each.attention) for each in videos.values())
    return Collection(path.name, (network,), clips, shown, failed=tuple(failed))


def _bad(video: _Video) -> bool:
    return video.status != "ok"


def _attention(clips: list[Mapping[str, float | None]]) -> tuple[tuple[float | None, ...], ...]:
    """Scores (K, T) of a list with one mapping for each clip."""
    names = [name for name in (clips[0] if clips else {}) if name not in ("start", "end")]
    return tuple(tuple(clip.get(name) for clip in clips) for name in names)
