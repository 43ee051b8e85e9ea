"""Settings for people's own videos, chosen from their properties, each with its reason."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mafnet.common.files import replacing
from mafnet.video.media import Media

MAX_CLIPS = 30
"""Largest number of clips that is chosen: time and memory grow with it."""
TOLERANCE_SECONDS = 0.25
"""Encoders end a stream a little after the intended length; this rest is not a clip of its own."""
COVERED = 90
"""Percentage of the videos that are not cut, if MAX_CLIPS allows it."""
FRAMES = 4
"""Frames of a clip. The features of a clip are their mean, and neighbouring frames look alike."""
MEASURED_VIDEOS = 336
"""Number of training videos up to which `mafnet_plus` was measured (docs/mafnet_plus.md)."""


def seconds_of(media: Sequence[Media]) -> np.ndarray:
    """The known lengths of videos, in seconds."""
    lengths = (row.end_seconds or row.duration_seconds for row in media)
    return np.array([length for length in lengths if length], float)


def choose_settings(
    media: Sequence[Media],
    training: int,
    root: Path,
    manifest: Path,
    link_roots: Sequence[Path] = (),
    has_sound: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """The entry of a data set for config.yaml, and a line on each choice.

    media: the rows of the usable videos. training: the number of training samples.
    has_sound: False if no video has sound.
    """
    from mafnet.features.defaults import resolved  # not needed to list the commands

    clips, line = choose_clips(media)
    network, reason = _network(has_sound, training)
    video = {"clips": clips, "frames_per_clip": FRAMES} | (
        {"link_roots": list(map(str, link_roots))} if link_roots else {}
    )
    entry = {
        "root": str(root),
        "splits": {"main": str(manifest)},
        "video": video,
        "features": resolved({}, own=True),
        "model": {"main": network},
    }
    return entry, [
        line,
        f"frames_per_clip: {FRAMES} of each second, which costs half as much as the paper's 16 "
        "(docs/performance.md)",
        "features: EfficientNet-Lite0 (ImageNet) and YAMNet (AudioSet), small pretrained networks; "
        "50 MB are downloaded once",
        f"network: {network}, {reason}",
        "training: the defaults of config.yaml; three seeds, so that numbers have an interval",
    ]


def write_settings(name: str, entry: dict[str, Any], reasons: Sequence[str], path: Path) -> None:
    """Write the file of settings, with the reasons as comments."""
    text = yaml.safe_dump({"datasets": {name: entry}}, sort_keys=False, allow_unicode=True)
    about = [
        f"Settings of {name}, chosen by `mafnet new`; config.yaml of mafnet explains all keys."
    ]
    head = "".join(f"# {line}\n" for line in [*about, *reasons])
    with replacing(path) as beside:
        beside.write_text(head + text, encoding="utf-8")


def choose_clips(media: Sequence[Media]) -> tuple[int, str]:
    """T, and the line about it."""
    seconds = seconds_of(media)
    if not len(seconds):
        return 10, "clips: 10, the default, because no file states its length"
    wanted = int(np.ceil(np.percentile(seconds, COVERED) - TOLERANCE_SECONDS))
    clips = min(max(wanted, 1), MAX_CLIPS)
    cut = int((seconds > clips + TOLERANCE_SECONDS).sum())
    text = (
        f"clips: {clips} of one second; the videos have {seconds.min():.1f} to "
        f"{seconds.max():.1f} seconds, half of them at most {np.median(seconds):.1f}"
    )
    if cut:
        text += f"; of {cut} longer ones only the first {clips} seconds are used"
    return clips, text


def _network(has_sound: bool, training: int) -> tuple[str, str]:
    """The variant, and why."""
    if not has_sound:
        return "visual_only", "because no video has sound"
    if training > MEASURED_VIDEOS:
        return "mafnet", "the paper's"
    return "mafnet", (
        f"the paper's; for {training} training videos compare `main: mafnet_plus`, which was "
        f"better with {MEASURED_VIDEOS} training videos or fewer (docs/mafnet_plus.md)"
    )
