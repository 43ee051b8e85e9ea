"""Which videos browsers play, and copies of the others that they do."""

from functools import cache
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import (
    MAX_PIXELS,
    ffmpeg_path,
    file_url,
    input_options,
    run_quietly,
)
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media
from mafnet.video.pipe import Pipe

PLAYED = {
    "mov,mp4,m4a,3gp,3g2,mj2": (
        {"h264", "libdav1d", "av1", "vp9"},
        {"aac", "mp3float", "mp3", "opus", "flac", ""},
    ),
    "matroska,webm": ({"vp8", "vp9", "libdav1d", "av1"}, {"opus", "vorbis", ""}),
}
"""Decoders of frames and of audio that all usual browsers play too, by container.

The media table has the names of decoders: libdav1d or av1 reads AV1.
"""

COPY_SIDE = 1280
"""Largest width of a copy, in pixels."""
COPY_BYTES = 200_000_000
"""Largest size of a copy."""
COPY_SECONDS = 120.0
"""Time after which the making of a copy is stopped."""


def problem(media: Media | None) -> str:
    """Why browsers do not play a video, such as "avi, mpeg4, mp3"; empty if they do."""
    if media is None:
        return ""
    frames, audio = PLAYED.get(media.container, ((), ()))
    if media.video_codec in frames and media.audio_codec in audio:
        return ""
    container = media.container.split(",")[0]
    return ", ".join(filter(None, (container, media.video_codec, media.audio_codec)))


def suffix(media: Media | None) -> str:
    """The suffix under which a browser expects a video that it plays.

    Never that of the file: nothing but a video may be in its place.
    """
    return ".webm" if media and media.container == "matroska,webm" else ".mp4"


def copy_suffix() -> str:
    """The suffix of copies."""
    return _codecs()[0]


def write_copy(path: Path, media: Media | None, seconds: int, output: Path) -> None:
    """Write the first seconds of a video as H.264 and AAC (.mp4), or VP9 and Opus (.webm).

    MafnetError with the message of ffmpeg if it fails.
    """
    _, *codecs = _codecs()
    tracks = (media.video_track, media.audio_track) if media else (0, 0)
    options = [part for item in input_options().items() for part in (f"-{item[0]}", item[1])]
    command = [
        ffmpeg_path(), "-nostdin", "-hide_banner", "-loglevel", "repeat+level+error", "-y",
        "-max_pixels", str(MAX_PIXELS), *options, "-i", file_url(path),
        "-map", f"0:V:{tracks[0]}", "-map", f"0:a:{tracks[1]}?", "-t", str(seconds),
        "-vf", f"scale=w='trunc(min({COPY_SIDE},iw)/2)*2':h=-2",
        "-pix_fmt", "yuv420p", "-ac", "2", "-threads", "2", *codecs, "-map_metadata", "-1",
        "-fs", str(COPY_BYTES), file_url(output),
    ]  # fmt: skip
    limit = VideoSettings().decoder_memory_mb * 1_000_000
    with Pipe(command, COPY_SECONDS, limit) as pipe:
        try:
            status = pipe.finish()
        except TimeoutError:
            status = "it took too long"
        message = pipe.message
    if status:
        output.unlink(missing_ok=True)
        raise MafnetError(f"{path}: no copy for browsers can be made ({message or status})")


@cache
def _codecs() -> tuple[str, ...]:
    """The suffix of copies and the options of their encoders, of those that this ffmpeg has."""
    listed = run_quietly("-encoders").stdout.split()
    if "libx264" in listed:
        h264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-c:a", "aac")
        return ".mp4", *h264, "-movflags", "+faststart"
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-b:v", "2M", "-c:a", "libopus")
    return ".webm", *vp9
