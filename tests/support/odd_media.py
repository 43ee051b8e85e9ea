"""Makers of unusual media as users have them: clocks, tracks and frames."""

from collections.abc import Sequence
from pathlib import Path

from support.bad_media import LIBX264, Maker
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone

SEGMENT = 2
"""Seconds of each of the two segments of a joined file."""

FRAGMENTS = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
TWO_CHANNELS = ("-ac", 2)


def segment(number: int, rate: int = 16) -> tuple[str, ...]:
    """Input of counting frames that starts with the first frame of a segment."""
    first = 16 + number * SEGMENT * rate
    color = f"color=s=64x48:r={rate}:d={SEGMENT},geq=lum={first}+N:cb=128:cr=128"
    return ("-f", "lavfi", "-i", color)


def joined(start: float, before: tuple = (), after: tuple = ()) -> Maker:
    """Maker of two joined MPEG-TS segments.

    start: start time of the second segment in seconds.
    before, after: ffmpeg arguments of the first and of the second segment.
    """
    return clocks((0, start), (before, after))


def clocks(starts: Sequence[float], extra: Sequence[tuple] = (), form: str = "mpegts") -> Maker:
    """Maker of joined segments, each with its start time in seconds and its ffmpeg arguments."""

    def make(path: Path) -> None:
        parts = []
        for number, start in enumerate(starts):
            part = path.with_name(f"{path.name}.{number}")
            own = (*extra[number : number + 1], ())[0]
            coding = (*H264, "-bf", 0, *AAC, *own, "-output_ts_offset", start, "-f", form)
            ffmpeg(*segment(number), *tone(SEGMENT), *coding, part)
            parts.append(part.read_bytes())
            part.unlink()
        path.write_bytes(b"".join(parts))

    return make


def jump_alone(option: str) -> Maker:
    """Maker of Matroska whose video ("-vf") or audio ("-af") jumps ahead by an hour, not both."""
    jump = f"{'a' * (option == '-af')}setpts='PTS+gte(T,2)*3600/TB'"
    coding = (*H264, "-c:a", "pcm_s16le", "-fps_mode", "passthrough")
    return lambda path: ffmpeg(*counting_frames(4, 16), *tone(4), option, jump, *coding, path)


def screen_recording(*coding: object, sound: bool = True) -> Maker:
    """Maker of video that has a frame only where something changes: six in 24 seconds."""
    chosen = "select='eq(n,0)+between(n,5,7)+eq(n,45)+eq(n,95)'"
    audio = tone(24) if sound else ()
    changes = ("-vf", chosen, "-fps_mode", "vfr")
    return lambda path: ffmpeg(*counting_frames(24, 4), *audio, *changes, *coding, path)


def hour_ahead(path: Path) -> None:
    """The timestamps of both streams jump by an hour, in Matroska."""
    jump = "PTS+gte(T,1)*3600/TB"
    filters = ("-vf", f"setpts='{jump}'", "-af", f"asetpts='{jump}'", "-fps_mode", "passthrough")
    ffmpeg(*counting_frames(2, 16), *tone(2), *filters, *H264, "-c:a", "pcm_s16le", path)


def still(seconds: float, *coding: object) -> Maker:
    """Maker of video that ends after some seconds, and four seconds of a tone."""
    return lambda path: ffmpeg(*counting_frames(seconds, 16), *tone(4), *coding, path)


def hdr(transfer: str) -> tuple[str, ...]:
    """Options for 10-bit video that states BT.2020 colours with a transfer function."""
    return (
        "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-colorspace", "bt2020nc",
        "-color_trc", transfer,
    )  # fmt: skip


def silent_middle(path: Path) -> None:
    """One second in the middle of the audio is missing."""
    gap = ("-af", "aselect='not(between(t,1,2))'")
    ffmpeg(*counting_frames(3, 16), *tone(3), *gap, *H264, "-c:a", "pcm_s16le", path)


def empty_track(path: Path) -> None:
    """An audio track without packets."""
    whole = path.with_name(f"whole{path.suffix}")
    ffmpeg(*counting_frames(4, 16), *tone(1), *H264, "-g", 16, *AAC, whole)
    ffmpeg("-ss", 2, "-i", whole, "-map", 0, "-c", "copy", path)
    whole.unlink()


def unknown_audio(tracks: int) -> Maker:
    """Maker of audio tracks of which the first has a codec without a decoder."""

    def make(path: Path) -> None:
        maps = ("-map", "0:v", *("-map", "1:a") * tracks)
        ffmpeg(*counting_frames(2, 16), *tone(2), *maps, *H264, "-c:a", "pcm_s16le", path)
        path.write_bytes(path.read_bytes().replace(b"sowt", b"zzzz", 1))

    return make


def thumbnail_first(path: Path) -> None:
    """A small still image as the first video track, before the real one."""
    small = ("-f", "lavfi", "-i", "color=red:s=32x32:r=1:d=1")
    maps = ("-map", "0:v", "-map", "1:v", "-map", "2:a", "-disposition:v:1", "default")
    coding = (*H264, "-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", *AAC)
    ffmpeg(*small, *counting_frames(4, 16), *tone(4), *maps, *coding, path)


def webcam(path: Path) -> None:
    """MJPEG in which a header field of each frame is damaged, but no pixel."""
    ffmpeg(*counting_frames(10, 32), *tone(10), "-c:v", "mjpeg", "-c:a", "pcm_s16le", path)
    content = path.read_bytes()
    assert content.count(b"\xff\xe0\x00\x10JFIF") > 300
    path.write_bytes(content.replace(b"\xff\xe0\x00\x10JFIF", b"\xff\xe0\x00\x00JFIF"))


def between_key_frames(path: Path) -> None:
    """A recording whose first third depends on a key frame before its start."""
    noise = ("-f", "lavfi", "-i", "color=gray:s=64x48:r=25:d=8,noise=alls=90:allf=t")
    coding = (*LIBX264, "-g", 75, "-pix_fmt", "yuv420p", *AAC, "-f", "mpegts")
    ffmpeg(*noise, *tone(8), *coding, path)
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 188 // 16 * 188 :])
