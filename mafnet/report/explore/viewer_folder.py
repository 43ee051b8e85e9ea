"""The page as a folder with its videos, which needs no server."""

import logging
import os
import shutil
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.progress import Progress
from mafnet.common.temporary import temporary_name
from mafnet.dataset.locate import lies_in
from mafnet.report.explore.browser_video import copy_suffix, problem, suffix, write_copy
from mafnet.report.explore.shown_videos import Collection, ShownVideo
from mafnet.report.explore.viewer_page import viewer_page

log = logging.getLogger(__name__)


def require_new(folder: Path) -> None:
    """MafnetError if a folder cannot be written because something is there."""
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise MafnetError(f"{folder}: is there already; delete it, or name another folder")


def write_folder(shown: Collection, folder: Path) -> None:
    """Write index.html and the folder `media`; the folder appears when it is complete.

    Videos that browsers do not play are converted, the others copied. A video without a file is a
    note on the page. folder: see `require_new`.
    """
    beside = folder.absolute().with_name(temporary_name())
    progress = Progress("explore", len(shown.videos), "videos", log)
    try:
        (beside / "media").mkdir(parents=True)
        sources = {}
        for number, (name, video) in enumerate(shown.videos.items()):
            sources[name] = _written(video, number, beside, shown)
            progress.advance()
        html, _ = viewer_page(shown, sources)
        (beside / "index.html").write_text(html, encoding="utf-8")
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _written(video: ShownVideo, number: int, folder: Path, shown: Collection) -> dict:
    """Write one video; its entry of the sources of `viewer_page`."""
    missing = {"src": None, "copy": None, "note": "The file of the video is missing."}
    if not video.path.is_file() or not (shown.roots is None or lies_in(video.path, shown.roots)):
        return missing
    converted = bool(problem(video.media))
    ending = copy_suffix() if converted else suffix(video.media)
    name = f"media/{number}{ending}"
    try:
        if converted:
            write_copy(video.path, video.media, shown.copy_seconds, folder / name)
        else:
            shutil.copyfile(video.path, folder / name)
    except MafnetError as error:
        log.warning("%s", error)
        return missing | {"note": "No copy that browsers play can be made."}
    return {"src": name, "copy": None, "note": ""}
