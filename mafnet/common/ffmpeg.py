"""Which ffmpeg is used, and how a file is named to it so that it opens that file and no other."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from mafnet.common.errors import MafnetError

DEMUXERS = (
    "mov",
    "matroska",
    "avi",
    "mpeg",
    "mpegts",
    "flv",
    "asf",
    "ogg",
    "gif",
    "mxf",
    "dv",
    "rm",
    "nut",
)
"""Containers that are opened. Playlists (HLS, concat, DASH) and image patterns, which make ffmpeg
open other files, are left out; whatever its name says, a file that is one of them is unreadable."""

PROTOCOLS = ("file",)
"""Ways of access that a container may use: no network, no data in the name."""

MAX_PIXELS = 8192 * 4320
"""Pixels of the largest frame that is decoded; a few bytes of hostile file can claim gigabytes."""


@cache
def ffmpeg_path() -> str:
    """The ffmpeg program: the one on the PATH, else the one that imageio-ffmpeg brings.

    Raises MafnetError if there is neither.
    """
    found = shutil.which("ffmpeg")
    if found:
        return found
    # Imported here because a machine with an ffmpeg of its own does not need the package.
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise MafnetError(
            "ffmpeg is not on the PATH and imageio-ffmpeg has none for this machine; "
            "install ffmpeg 5.1 or later"
        ) from error


@cache
def ffmpeg_version() -> str:
    """The version that ffmpeg states, such as "5.1.9-0+deb12u1"; MafnetError if it does not run."""
    program = ffmpeg_path()
    try:
        result = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MafnetError(f"{program} does not run ({error}); install ffmpeg again") from error
    match = re.match(r"ffmpeg version (\S+)", result.stdout)
    if match is None:
        raise MafnetError(f"{program} does not state its version; install ffmpeg again")
    return match[1]


@cache
def check_hwaccel(name: str) -> None:
    """MafnetError if ffmpeg was built without a way of hardware decoding, or finds no device."""
    program = ffmpeg_path()
    listed = _run_quietly("-hwaccels").stdout.split(":", 1)[-1].split()
    if name not in listed:
        raise MafnetError(
            f"video.hwaccel: {program} knows no {name}, only {', '.join(listed) or 'none at all'}; "
            "choose one of these or none, or put another ffmpeg on the PATH"
        )
    nothing = ("-f", "lavfi", "-i", "nullsrc=s=16x16", "-frames:v", "1", "-f", "null", "-")
    tried = _run_quietly("-v", "error", "-init_hw_device", name, *nothing)
    if tried.returncode:
        message = next(iter(tried.stderr.splitlines()), "it says nothing")
        raise MafnetError(
            f"video.hwaccel: ffmpeg finds no device for {name} here ({message}); choose none"
        )


def _run_quietly(*arguments: str) -> subprocess.CompletedProcess:
    """The outcome of ffmpeg with these arguments."""
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def file_url(path: Path) -> str:
    """A name that ffmpeg takes for a plain file, even if it begins with "-" or holds ":"."""
    return f"file:{path}"


def input_options() -> dict[str, str]:
    """Options of an input, for ffmpeg and PyAV alike, that keep it from opening other files."""
    return {
        "protocol_whitelist": ",".join(PROTOCOLS),
        "format_whitelist": ",".join(DEMUXERS),
    }
