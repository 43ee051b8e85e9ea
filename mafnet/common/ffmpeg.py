"""The ffmpeg program, and input options that let it open only the named file."""

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
"""Allowed containers. Playlists (HLS, concat, DASH) and image patterns are excluded, because they
make ffmpeg open other files. Such a file is unreadable, whatever its name."""

SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".dv", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogg", ".ogv", ".rm", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
"""Suffixes of files that count as videos where a folder is searched. A manifest may name others."""

PROTOCOLS = ("file",)
"""Protocols that a container may use: no network, no data URLs."""

MAX_PIXELS = 8192 * 4320
"""Largest number of pixels of a frame; a hostile file of a few bytes can announce gigabytes."""


@cache
def ffmpeg_path() -> str:
    """The ffmpeg program: the one on the PATH, otherwise that of imageio-ffmpeg.

    Raises MafnetError if both are missing.
    """
    found = shutil.which("ffmpeg")
    if found:
        return found
    # Imported here because a machine with ffmpeg on the PATH does not need the package.
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
    """The version that ffmpeg prints, such as "5.1.9-0+deb12u1"; MafnetError if it fails."""
    program = ffmpeg_path()
    try:
        result = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MafnetError(f"{program} cannot be run ({error}); install ffmpeg again") from error
    match = re.match(r"ffmpeg version (\S+)", result.stdout)
    if match is None:
        raise MafnetError(f"{program} does not print its version; install ffmpeg again")
    return match[1]


@cache
def check_hwaccel(name: str) -> None:
    """MafnetError if this ffmpeg lacks a method of hardware decoding or finds no device for it."""
    program = ffmpeg_path()
    listed = run_quietly("-hwaccels").stdout.split(":", 1)[-1].split()
    if name not in listed:
        raise MafnetError(
            f"video.hwaccel: {program} does not support {name}, only "
            f"{', '.join(listed) or 'nothing'}; choose one of these or none, "
            "or put another ffmpeg on the PATH"
        )
    nothing = ("-f", "lavfi", "-i", "nullsrc=s=16x16", "-frames:v", "1", "-f", "null", "-")
    tried = run_quietly("-v", "error", "-init_hw_device", name, *nothing)
    if tried.returncode:
        message = next(iter(tried.stderr.splitlines()), "no message")
        raise MafnetError(
            f"video.hwaccel: ffmpeg finds no device for {name} here ({message}); choose none"
        )


@cache
def can_tone_map() -> bool:
    """True if this ffmpeg has the filters that convert HDR to the colours of other videos."""
    listed = run_quietly("-filters").stdout
    return all(f" {name} " in listed for name in ("zscale", "tonemap"))


def run_quietly(*arguments: str) -> subprocess.CompletedProcess:
    """Run ffmpeg with these arguments and capture its output."""
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def file_url(path: Path) -> str:
    """A name that ffmpeg reads as a plain file, even if it begins with "-" or contains ":"."""
    return f"file:{path}"


def input_options() -> dict[str, str]:
    """Input options for ffmpeg and PyAV that prevent access to other files.

    The clock of MPEG-TS restarts after 26.5 hours. libavformat takes a restart to an earlier time
    for this, and ffmpeg then repairs it in a way that PyAV does not, so it is switched off.
    """
    return {
        "correct_ts_overflow": "0",
        "protocol_whitelist": ",".join(PROTOCOLS),
        "format_whitelist": ",".join(DEMUXERS),
    }
