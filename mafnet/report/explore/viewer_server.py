"""Serves the page and its videos to this machine only.

The address has a secret part, because other users of the machine can reach its ports. The header
Host must name this machine: otherwise a page of the internet whose name is made to lead here could
read the videos. Videos are asked for by their number, never by a path.
"""

import logging
import secrets
import socket
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route

from mafnet.common.errors import MafnetError
from mafnet.common.terminal import printable
from mafnet.dataset.locate import lies_in
from mafnet.report.explore.browser_video import copy_suffix, problem, suffix, write_copy
from mafnet.report.explore.shown_videos import Collection, ShownVideo
from mafnet.report.explore.viewer_page import viewer_page

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
KEPT_BYTES = 1_000_000_000
"""Largest size of all copies; the ones not used for longest are removed, except the last one."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CONTENT_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}


class Copies:
    """Copies of videos that browsers do not play, made when they are asked for, one at a time."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Path] = OrderedDict()

    def of(self, number: int, video: ShownVideo) -> Path:
        """The copy of a video; MafnetError if it cannot be made."""
        with self._lock:
            if number not in self._kept:
                path = self._folder / f"{number}{copy_suffix()}"
                write_copy(video.path, video.media, self._seconds, path)
                self._kept[number] = path
            self._kept.move_to_end(number)
            while len(self._kept) > 1 and self._size() > KEPT_BYTES:
                self._kept.popitem(last=False)[1].unlink()
            return self._kept[number]

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self._kept.values())


def viewer_app(shown: Collection, copies: Copies, secret: str) -> Starlette:
    """The application; all its addresses begin with /SECRET/."""
    videos = list(shown.videos.values())
    html, policy = viewer_page(shown, _sources(videos))
    headers = HEADERS | {"Content-Security-Policy": policy + "; frame-ancestors 'none'"}

    def page(request: Request) -> Response:
        return HTMLResponse(html, headers=headers)

    def media(request: Request) -> Response:
        video = _asked(request, videos, shown.roots)
        content_type = CONTENT_TYPES[suffix(video.media)]
        return FileResponse(video.path, headers=HEADERS, media_type=content_type)

    def copy(request: Request) -> Response:
        video = _asked(request, videos, shown.roots)
        try:
            path = copies.of(request.path_params["number"], video)
        except MafnetError as error:
            log.warning("%s", error)
            raise HTTPException(404, "no copy can be made") from error
        return FileResponse(path, headers=HEADERS, media_type=CONTENT_TYPES[path.suffix])

    routes = [Route("/", page), Route("/media/{number:int}", media),
              Route("/copy/{number:int}", copy)]  # fmt: skip
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=[Mount(f"/{secret}", routes=routes)], middleware=[hosts])


def serve(shown: Collection, port: int) -> None:
    """Serve the page until Ctrl-C, and print its address. port: 0 takes a free one."""
    secret = secrets.token_urlsafe(12)
    with TemporaryDirectory(prefix="mafnet-explore-") as folder, _listening(port) as listener:
        app = viewer_app(shown, Copies(Path(folder), shown.copy_seconds), secret)
        address = f"http://{HOST}:{listener.getsockname()[1]}/{secret}/"
        click.echo(printable(f"{shown.title}: {len(shown.videos)} videos; Ctrl-C ends it. Open"))
        click.echo(f"  {address}")
        quiet = {"log_level": "warning", "access_log": False, "server_header": False}
        config = uvicorn.Config(app, ws="none", **quiet)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    """A socket that listens on this machine only; MafnetError if the port is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise MafnetError(
            f"--port {port}: cannot be used ({error.strerror}); choose another one, or leave it out"
        ) from error


def _sources(videos: Sequence[ShownVideo]) -> dict[str, dict]:
    """The addresses of the videos: the file itself, or its copy if browsers do not play it."""
    return {
        video.name: {
            "src": f"copy/{number}" if problem(video.media) else f"media/{number}",
            "copy": f"copy/{number}",
            "note": "" if video.path.is_file() else "The file of the video is missing.",
        }
        for number, video in enumerate(videos)
    }


def _asked(
    request: Request, videos: Sequence[ShownVideo], roots: Sequence[Path] | None
) -> ShownVideo:
    """The video with the number of the request, whose file is now in the folder of the videos."""
    number = request.path_params["number"]
    if number >= len(videos):
        raise HTTPException(404)
    video = videos[number]
    if not video.path.is_file() or not (roots is None or lies_in(video.path, roots)):
        raise HTTPException(404, "the file of the video is missing")
    return video
