"""Makers of bad and unusual media: each function writes one file at the given path."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

from support.made_videos import AAC, H264, counting_frames, counting_video, ffmpeg, rotated, tone

Maker = Callable[[Path], object]

LONG = 10
"""Seconds of the files that are damaged."""

LIBX264 = ("-c:v", "libx264", "-preset", "ultrafast")


def encoded(*arguments: object, seconds: float = 2, rate: int = 16) -> Maker:
    """Maker of counting frames and a tone with these ffmpeg arguments."""
    return lambda path: ffmpeg(*counting_frames(seconds, rate), *tone(seconds), *arguments, path)


def video_only(*arguments: object, seconds: float = 2, rate: int = 16) -> Maker:
    """Maker of counting frames without audio."""
    return lambda path: ffmpeg(*counting_frames(seconds, rate), *arguments, path)


def written(content: bytes) -> Maker:
    """Maker of a file with these bytes."""
    return lambda path: path.write_bytes(content)


def noisy(path: Path, *arguments: object) -> Path:
    """Ten seconds of noise with a key frame each second; error concealment cannot restore noise."""
    noise = ("-f", "lavfi", "-i", f"color=gray:s=64x48:r=16:d={LONG},noise=alls=90:allf=t")
    audio = ("-f", "lavfi", "-i", f"anoisesrc=d={LONG}:seed=1:a=0.5:r=44100")
    coding = (*LIBX264, "-crf", 23, "-g", 16, "-pix_fmt", "yuv420p")
    # Without PNS (perceptual noise substitution), for which the decoder generates random noise.
    ffmpeg(
        *noise, *audio, *coding, *AAC, "-aac_pns", 0, "-movflags", "+faststart", *arguments, path
    )
    return path


def truncated(path: Path, kept: float = 0.5) -> None:
    """The index at the start, and a part of the data."""
    noisy(path)
    os.truncate(path, round(path.stat().st_size * kept))


def stub(path: Path) -> None:
    """The index at the start, and a tenth of the data."""
    truncated(path, 0.1)


def overwritten(path: Path, count: int = 20_000) -> None:
    """Other bytes in the middle of the file."""
    noisy(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + count] = bytes(range(251)) * (count // 251) + bytes(count % 251)
    path.write_bytes(content)


def riddled(path: Path) -> None:
    """Eight of every 500 bytes replaced, in the whole file after its index."""
    noisy(path)
    content = bytearray(path.read_bytes())
    for start in range(content.index(b"mdat") + 100, len(content) - 8, 500):
        content[start : start + 8] = b"\x5a" * 8
    path.write_bytes(content)


def without_index(path: Path) -> None:
    """An mp4 without its index, which is at the end of the file."""
    counting_video(path, 2)
    os.truncate(path, path.stat().st_size // 2)


def rotated_video(degrees: int) -> Maker:
    """Maker of a video with a rotation flag."""
    return lambda path: rotated(counting_video(path, 2, 16), degrees)


def two_tracks(path: Path) -> None:
    """A video with two audio tracks."""
    tracks = ("-map", "0", "-map", "1", "-map", "2")
    ffmpeg(*counting_frames(2), *tone(2, 440), *tone(2, 880), *tracks, *H264, *AAC, path)


def copied(extension: str, *arguments: object) -> Maker:
    """Maker of a file in one format with the extension of another."""

    def make(path: Path) -> None:
        other = path.with_suffix(extension)
        encoded(*arguments)(other)
        other.rename(path)

    return make


def two_hours(path: Path) -> None:
    """One minute that is repeated 120 times without encoding it again."""
    minute = path.with_name("minute.mp4")
    ffmpeg(*counting_frames(60, 1), *tone(60, rate=8000), *H264, "-c:a", "aac", minute)
    ffmpeg("-stream_loop", 119, "-i", minute, "-c", "copy", path)
    minute.unlink()


def png(path: Path) -> None:
    """A still image with the name of a video."""
    still = ("-frames:v", 1, "-c:v", "png", "-f", "image2pipe")
    ffmpeg(*counting_frames(1), *still, path)


def large_frame(path: Path) -> None:
    """A frame of 134 million pixels in a file of a few hundred kilobytes."""
    ffmpeg("-f", "lavfi", "-i", "color=s=16384x8192:r=1:d=1", "-c:v", "mjpeg", path)


def huge_header(path: Path) -> None:
    """A header that claims 60,000 x 60,000 pixels, without data for them."""
    encoded("-c:v", "rawvideo", "-pix_fmt", "bgr24", "-c:a", "pcm_s16le")(path)
    content = bytearray(path.read_bytes())
    start = content.index(b"strf") + 12
    content[start : start + 8] = struct.pack("<ii", 60_000, 60_000)
    path.write_bytes(content)


def silent_black(path: Path) -> None:
    """Black frames and digital silence."""
    black = ("-f", "lavfi", "-i", "color=black:s=64x48:r=16:d=2")
    ffmpeg(*black, "-f", "lavfi", "-i", "anullsrc=r=44100:d=2", "-shortest", *H264, *AAC, path)


def device(path: Path) -> None:
    """A link to a device that can be read forever."""
    path.symlink_to("/dev/zero")


def unequal(video: float, audio: float) -> Maker:
    """Maker of video and audio with these lengths in seconds."""
    return lambda path: ffmpeg(*counting_frames(video, 16), *tone(audio), *H264, *AAC, path)


def text_file(text: str) -> Maker:
    """Maker of a text file, for example a playlist that names other files."""
    return lambda path: path.write_text(text)
