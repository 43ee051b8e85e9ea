"""Real media for the tests, made by ffmpeg: small frames whose brightness gives their number."""

import math
import struct
import subprocess
from pathlib import Path

import numpy as np

from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.video.clips import Decoding
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_audio, decode_frames
from mafnet.video.media import Media
from mafnet.video.probe import probe

SETTINGS = VideoSettings(frame_size=32, timeout_seconds=30)
H264 = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-ar", "44100")


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg; AssertionError with its messages if it fails."""
    quiet = ("-v", "error", "-nostdin", "-threads", "1", "-y")
    command = [ffmpeg_path(), *quiet, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f"{command}: {result.stderr}"


def counting_frames(seconds: float, rate: int = 30, size: str = "64x48") -> tuple[str, ...]:
    """Input whose frame N has luma 16 + N everywhere; `frame_numbers` reads N (0 to 219)."""
    return ("-f", "lavfi", "-i", f"color=s={size}:r={rate}:d={seconds},geq=lum=16+N:cb=128:cr=128")


def tone(seconds: float, hertz: int = 440, rate: int = 44100) -> tuple[str, ...]:
    """Input of a mono sine at an eighth of full scale."""
    return ("-f", "lavfi", "-i", f"sine=f={hertz}:d={seconds}:r={rate}")


def flash_and_click(second: float, seconds: float = 4) -> tuple[str, ...]:
    """Two inputs: video that is white and audio that is loud for 0.1 s, from `second` on."""
    now = f"between(T,{second - 0.001},{second + 0.099})"
    video = f"color=s=64x48:r=30:d={seconds},geq=lum='16+219*{now}':cb=128:cr=128"
    audio = f"aevalsrc='0.8*sin(2*PI*1000*t)*{now.replace('T', 't')}':s=44100:d={seconds}"
    return ("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio)


def counting_video(path: Path, seconds: float = 3, rate: int = 30, *extra: object) -> Path:
    """A file of counting frames (lossless H.264) and a tone (AAC)."""
    ffmpeg(*counting_frames(seconds, rate), *tone(seconds), *H264, *AAC, *extra, path)
    return path


def rotated(path: Path, degrees: int) -> Path:
    """Add a flag to an mp4 file, in place, that rotates its frames counter-clockwise.

    The bytes are written here, because ffmpeg's versions have different options for it.
    """
    angle = math.radians(degrees)
    cos, sin = round(math.cos(angle)), round(math.sin(angle))
    content = path.read_bytes()
    # ISO 14496-12, 8.3.2: the matrix starts 40 bytes after the name of the track header.
    start = content.index(b"tkhd") + 4 + 40
    rows = (cos, -sin, 0, sin, cos, 0)
    matrix = struct.pack(">6i", *(value * 65536 for value in rows))
    path.write_bytes(content[:start] + matrix + content[start + len(matrix) :])
    return path


def probed(path: Path) -> Media:
    """The media row of a file, which must be usable."""
    media = probe(path, path.name)
    assert media.ok, media
    return media


def frames_of(path: Path, settings: VideoSettings = SETTINGS) -> tuple[np.ndarray, Decoding]:
    """All frames of a file, (clips * frames_per_clip, S, S, 3), and the finished decoding."""
    with decode_frames(path, probed(path), settings) as decoding:
        return np.concatenate(list(decoding)), decoding


def audio_of(path: Path, settings: VideoSettings = SETTINGS) -> tuple[np.ndarray, Decoding]:
    """All samples of a file, (clips * SAMPLE_RATE,), and the finished decoding."""
    with decode_audio(path, probed(path), settings) as decoding:
        return np.concatenate([np.empty(0, np.int16), *decoding]), decoding


def frame_numbers(frames: np.ndarray) -> list[int]:
    """The numbers of counting frames: luma 16 + N is RGB 255 / 219 N."""
    levels = frames.reshape(len(frames), -1).mean(1)
    return [round(level * 219 / 255) for level in levels]


def with_clips(clips: int) -> VideoSettings:
    """SETTINGS with another number of clips."""
    return changed(clips=clips)


def changed(**values: object) -> VideoSettings:
    """SETTINGS with changed values."""
    return SETTINGS.model_copy(update=values)
