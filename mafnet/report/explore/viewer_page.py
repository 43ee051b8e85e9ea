"""The page as HTML with its data, style and scripts; it loads only videos."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from mafnet import __version__
from mafnet.common.terminal import printable
from mafnet.report.explore.browser_video import problem
from mafnet.report.explore.shown_videos import Collection, Finding, ShownVideo
from mafnet.report.html import asset, environment, source_hash

PACKAGE = "mafnet.report.explore"
SCRIPTS = ("data.js", "timeline.js", "player.js", "list.js")


def viewer_page(shown: Collection, sources: Mapping[str, Mapping]) -> tuple[str, str]:
    """The HTML of the page, and its content security policy.

    sources: for each video by name, `src` (relative URL; None if there is no file to play), `note`
    (why), and `copy` (URL of a copy that is made on demand; None if there is none).
    """
    style = asset(PACKAGE, "viewer.css")
    # One script, because the policy names it by its digest.
    script = "\n".join(asset(PACKAGE, name) for name in SCRIPTS)
    # A file: page is no 'self'. A page from a server cannot load file: addresses.
    policy = (
        f"default-src 'none'; media-src 'self' file:; img-src data:; "
        f"style-src {source_hash(style)}; script-src {source_hash(script)}; base-uri 'none'; "
        "form-action 'none'"
    )
    data = {
        "clips": shown.clips,
        "copySeconds": shown.copy_seconds,
        "networks": [
            {"name": printable(one.name), "modalities": list(map(printable, one.modalities))}
            for one in shown.networks
        ],
        "videos": [_video(one) | dict(sources[name]) for name, one in shown.videos.items()],
    }
    template = environment(PACKAGE).get_template("viewer.html.j2")
    html = template.render(
        shown=shown, policy=policy, style=Markup(style), script=Markup(script),
        data=htmlsafe_json_dumps(data, ensure_ascii=True, separators=(",", ":")),
        random=sorted({name for one in shown.networks for name in one.random}),
        labels=sorted({one.label for one in shown.videos.values() if one.label}),
        predicted=sorted({name for one in shown.videos.values() for name in _predicted(one)}),
        recordings=any(one.parts is not None for one in shown.videos.values()),
        modalities=shown.networks[0].modalities, version=__version__,
    )  # fmt: skip
    return html, policy


def _video(video: ShownVideo) -> dict[str, Any]:
    """A video as plain JSON values; all texts are printable."""
    media = video.media
    return {
        "name": printable(video.name),
        "file": printable(str(video.path)),
        "label": printable(video.label),
        "event": video.event,
        "format": problem(media),
        "warnings": list(media.warnings) if media else [],
        "findings": list(map(_finding, video.findings)),
        "seconds": video.seconds,
        "parts": None if video.parts is None else [
            asdict(part) | {"label": printable(part.label)} for part in video.parts
        ],
    }  # fmt: skip


def _predicted(video: ShownVideo) -> set[str]:
    """The classes that the first network predicted for a video, or for its parts."""
    if video.parts is not None:
        return {part.label for part in video.parts}
    return {video.findings[0].predicted}


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "predicted": printable(found.predicted),
        "top": [[printable(name), round(share, 4)] for name, share in found.top],
        "attention": [
            [None if score is None else round(score, 4) for score in row] for row in found.attention
        ],
    }
