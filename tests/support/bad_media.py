"""Makers of bad and odd media: each writes one file at the path that it is given."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

from support.made_videos import AAC, H264, counting_picture, counting_video, ffmpeg, rotated, tone

Maker = Callable[[Path], object]

LONG = 10
"""Seconds of the files that are damaged."""

LIBX264 = ("-c:v", "libx264", "-preset", "ultrafast")


def encoded(*arguments: object, seconds: float = 2, rate: int = 16) -> Maker:
    """Makes a counting picture and a tone, encoded as the arguments say."""
    return lambda path: ffmpeg(*counting_picture(seconds, rate), *tone(seconds), *arguments, path)


def picture(*arguments: object, seconds: float = 2, rate: int = 16) -> Maker:
    """Makes a counting picture without sound."""
    return lambda path: ffmpeg(*counting_picture(seconds, rate), *arguments, path)


def written(content: bytes) -> Maker:
    """Writes bytes."""
    return lambda path: path.write_bytes(content)


def noisy(path: Path, *arguments: object) -> Path:
    """Ten seconds of noise, a key frame a second: nothing in it can be guessed by concealment."""
    noise = ("-f", "lavfi", "-i", f"color=gray:s=64x48:r=16:d={LONG},noise=alls=90:allf=t")
    sound = ("-f", "lavfi", "-i", f"anoisesrc=d={LONG}:seed=1:a=0.5:r=44100")
    coding = (*LIBX264, "-crf", 23, "-g", 16, "-pix_fmt", "yuv420p")
    # Without substituted noise, which the decoder draws anew from packet to packet.
    ffmpeg(
        *noise, *sound, *coding, *AAC, "-aac_pns", 0, "-movflags", "+faststart", *arguments, path
    )
    return path


def truncated(path: Path, kept: float = 0.5) -> None:
    """The index in front and a part of what it lists."""
    noisy(path)
    os.truncate(path, round(path.stat().st_size * kept))


def stub(path: Path) -> None:
    """The index in front and a tenth of what it lists."""
    truncated(path, 0.1)


def overwritten(path: Path, count: int = 20_000) -> None:
    """Bytes in the middle replaced by others."""
    noisy(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + count] = bytes(range(251)) * (count // 251) + bytes(count % 251)
    path.write_bytes(content)


def riddled(path: Path) -> None:
    """A few bytes of every five hundred replaced, all over the file behind its index."""
    noisy(path)
    content = bytearray(path.read_bytes())
    for place in range(content.index(b"mdat") + 100, len(content) - 8, 500):
        content[place : place + 8] = b"\x5a" * 8
    path.write_bytes(content)


def without_index(path: Path) -> None:
    """An mp4 whose index, at its end, was never written."""
    counting_video(path, 2)
    os.truncate(path, path.stat().st_size // 2)


def flagged(degrees: int) -> Maker:
    """A picture with a flag that turns it."""
    return lambda path: rotated(counting_video(path, 2, 16), degrees)


def two_tracks(path: Path) -> None:
    """A film with two sound tracks."""
    tracks = ("-map", "0", "-map", "1", "-map", "2")
    ffmpeg(*counting_picture(2), *tone(2, 440), *tone(2, 880), *tracks, *H264, *AAC, path)


def copied(extension: str, *arguments: object) -> Maker:
    """Makes a file of one kind and names it as another."""

    def make(path: Path) -> None:
        other = path.with_suffix(extension)
        encoded(*arguments)(other)
        other.rename(path)

    return make


def two_hours(path: Path) -> None:
    """A minute that is repeated 120 times, without being encoded again."""
    minute = path.with_name("minute.mp4")
    ffmpeg(*counting_picture(60, 1), *tone(60, rate=8000), *H264, "-c:a", "aac", minute)
    ffmpeg("-stream_loop", 119, "-i", minute, "-c", "copy", path)
    minute.unlink()


def png(path: Path) -> None:
    """A still picture with the name of a video."""
    still = ("-frames:v", 1, "-c:v", "png", "-f", "image2pipe")
    ffmpeg(*counting_picture(1), *still, path)


def vast(path: Path) -> None:
    """A picture of 134 million pixels in a file of some hundred kilobytes."""
    ffmpeg("-f", "lavfi", "-i", "color=s=16384x8192:r=1:d=1", "-c:v", "mjpeg", path)


def far_too_vast(path: Path) -> None:
    """A header that claims 60,000 x 60,000 pixels, and nothing behind it."""
    encoded("-c:v", "rawvideo", "-pix_fmt", "bgr24", "-c:a", "pcm_s16le")(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"strf") + 12
    content[place : place + 8] = struct.pack("<ii", 60_000, 60_000)
    path.write_bytes(content)


def silent_black(path: Path) -> None:
    """Digital silence and a black picture."""
    black = ("-f", "lavfi", "-i", "color=black:s=64x48:r=16:d=2")
    ffmpeg(*black, "-f", "lavfi", "-i", "anullsrc=r=44100:d=2", "-shortest", *H264, *AAC, path)


def device(path: Path) -> None:
    """A link to what can be read for ever."""
    path.symlink_to("/dev/zero")


def uneven(seen: float, heard: float) -> Maker:
    """Makes a picture and a sound of different lengths."""
    return lambda path: ffmpeg(*counting_picture(seen, 16), *tone(heard), *H264, *AAC, path)


def playlist(text: str) -> Maker:
    """Writes words, such as a list of other files to open."""
    return lambda path: path.write_text(text)
