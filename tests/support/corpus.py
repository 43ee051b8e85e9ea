"""Bad and unusual media that the tests generate, each with its expected outcome.

`PYTHONPATH=tests python -m support.corpus docs/media.md` writes the table of all cases.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from support.bad_media import (
    LIBX264,
    Maker,
    copied,
    device,
    encoded,
    huge_header,
    large_frame,
    overwritten,
    png,
    riddled,
    rotated_video,
    silent_black,
    stub,
    text_file,
    truncated,
    two_hours,
    two_tracks,
    unequal,
    video_only,
    without_index,
    written,
)
from support.made_videos import AAC, H264, ffmpeg, tone
from support.odd_media import (
    FRAGMENTS,
    SEGMENT,
    TWO_CHANNELS,
    between_key_frames,
    clocks,
    empty_track,
    hdr,
    hour_ahead,
    joined,
    jump_alone,
    screen_recording,
    silent_middle,
    still,
    thumbnail_first,
    unknown_audio,
    webcam,
)

from mafnet.video.status import MediaWarning, Status

OK = Status.OK
RANDOM = bytes(number * number * 7 % 251 for number in range(20_000))


@dataclass(frozen=True)
class Case:
    """One input: the maker of the file, and the expected row of the media table.

    error: text that the row's error message must contain.
    """

    name: str
    description: str
    make: Maker
    status: str = OK
    warnings: tuple[str, ...] = ()
    error: str = ""


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile plain.mp4\n"
PAGE = "<!DOCTYPE html><html><body>404 Not Found</body></html>"
ALL_SHORT = ("decoder_errors", "short_video", "short_audio")
LATE_AUDIO = ("-af", "atrim=start=1")
LATE_VIDEO = ("-vf", "trim=start=1")
WAVE = ("-c:a", "pcm_s16le")
VARIABLE = ("-vf", "select='lt(n,7)+not(mod(n,5))'", "-fps_mode", "vfr")
MUTE = ("no_audio",)
GAP = ("gap",)
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus")
STILLS = {"mp4": (*H264, *AAC), "mkv": (*H264, *AAC), "webm": VP9}
RATE_8000, RATE_48000 = ("-ar", 8000), ("-ar", 48000)
SIX = ("-ac", 6)
AVI = ("-c:v", "mpeg4", "-c:a", "libmp3lame")
REORDERED = ("-c:v", "libx264", "-bf", 6, "-b_strategy", 0, "-pix_fmt", "yuv420p")

NOT_VIDEOS = (
    Case("empty.mp4", "0 bytes", written(b""), "empty"),
    Case("random.mp4", "random bytes", written(RANDOM), "unreadable", error="Invalid data"),
    Case("text.mp4", "text", text_file("some text\n" * 99), "unreadable", error="Invalid"),
    Case(
        "page.mp4",
        "an HTML error page, as after a failed download",
        text_file(PAGE),
        "unreadable",
        error="Invalid",
    ),
    Case("png.mp4", "a PNG image", png, "unreadable", error="not on whitelist"),
    Case("hls.mp4", "an HLS playlist", text_file(HLS), "unreadable", error="Invalid"),
    Case("concat.mp4", "a concat list", text_file(CONCAT), "unreadable", error="whitelist"),
    Case("audio.mp4", "audio only", lambda path: ffmpeg(*tone(2), *AAC, path), "no_video"),
    Case("gone.mp4", "missing file", lambda path: None, "missing"),
    Case("folder.mp4", "a folder", Path.mkdir, "not_a_file"),
    Case("fifo.mp4", "a FIFO, which blocks forever", os.mkfifo, "not_a_file"),
    Case("link.mp4", "a link to an endless device", device, "outside_root", error="/dev/zero"),
    Case("large.avi", "16384x8192 pixels", large_frame, "too_large", error="16384x8192"),
    Case(
        "claim.avi", "a header claiming 60000x60000", huge_header, "undecodable", error="rawvideo"
    ),
)
DAMAGE = (
    Case(
        "index.mp4", "no index, as after a broken upload", without_index, "unreadable", error="moov"
    ),
    Case("truncated.mp4", "index at the start, second half missing", truncated, OK, ALL_SHORT),
    Case(
        "stub.mp4",
        "index at the start, 90 % missing",
        stub,
        "damaged",
        ALL_SHORT[:2],
        "clips are lost",
    ),
    Case("truncated.mkv", "Matroska, second half missing", truncated, OK, ALL_SHORT),
    Case("overwritten.mp4", "20 kB in the middle overwritten", overwritten, OK, ALL_SHORT[:1]),
    Case("webcam.avi", "MJPEG, an error in each frame", webcam, OK, ALL_SHORT[:1]),
    Case("cut_in.ts", "starts between key frames", between_key_frames, OK, ALL_SHORT[:1]),
    Case(
        "riddled.mp4",
        "8 of every 500 bytes overwritten",
        riddled,
        "damaged",
        ALL_SHORT[:1],
        "frames are lost or corrupt",
    ),
)
TIMES = (
    Case("plain.mp4", "H.264 and AAC", encoded(*H264, *AAC)),
    Case("mute.mp4", "no audio", video_only(*H264), OK, MUTE),
    Case("short_audio.mp4", "1 s of audio, 2 s of video", unequal(2, 1), OK, ("short_audio",)),
    Case("short_video.mp4", "1 s of video, 3 s of audio", unequal(1, 3), OK, ("short_video",)),
    Case("late_audio.mp4", "audio starts after 1 s", encoded(*LATE_AUDIO, *H264, *AAC)),
    Case("late_video.mkv", "video starts after 1 s", encoded(*LATE_VIDEO, *H264, *WAVE)),
    Case("start_5.ts", "container starts at 5 s", encoded(*H264, *AAC, "-output_ts_offset", 5)),
    Case(
        "negative.mp4",
        "B frames, edit list, first timestamp < 0",
        encoded("-c:v", "libx264", "-bf", 3, *AAC),
    ),
    Case("variable.mp4", "variable frame rate", encoded(*VARIABLE, *H264, *AAC)),
    *(
        Case(f"fps_{rate}.mp4", f"{rate} frames/s", encoded(*H264, *AAC, rate=rate))
        for rate in (60, 8, 1)
    ),
    Case(
        "fps_4.mkv",
        "Matroska, 4 frames/s, reordered frames",
        encoded(*REORDERED, *AAC, rate=4, seconds=5),
    ),
    Case("frame.mp4", "one frame", video_only("-frames:v", 1, *H264), OK, MUTE),
    Case("half.mp4", "0.5 s", encoded(*H264, *AAC, seconds=0.5)),
    Case("nearly_10.mp4", "9.93 s", encoded(*H264, *AAC, seconds=9.93)),
    Case("two_hours.mp4", "two hours", two_hours),
)
TIMESTAMPS = (
    Case("jump.ts", "joined, timestamps jump by an hour", joined(3600), OK, GAP),
    Case("jump.mkv", "Matroska, timestamps jump by an hour", hour_ahead, OK, GAP),
    Case("restart.ts", "joined, timestamps restart", joined(0), OK, GAP),
    Case("back.ts", "timestamps jump back, ahead and back", clocks((100, 4, 2000, 1)), OK, GAP),
    Case("wrap.ts", "timestamps pass the end of the clock of MPEG-TS", clocks((95441,)), OK, GAP),
    Case("audio_jump.mkv", "only the audio's timestamps jump", jump_alone("-af"), OK, GAP),
    Case("video_jump.mkv", "only the video's timestamps jump", jump_alone("-vf"), OK, GAP),
    *(
        Case(
            f"appended.{kind}",
            f"a second file was appended, {kind}",
            clocks((0, 0), form=kind),
            OK,
            ("unread",),
        )
        for kind in ("mp4", "flv")
    ),
    Case(
        "other_tracks.ts",
        "joined, the second segment has other tracks",
        clocks((0, 0), ((), ("-mpegts_start_pid", 0x200))),
        OK,
        ("several_video_tracks", "several_audio_tracks"),
    ),
    Case("gap.mkv", "1 s of the audio is missing", silent_middle, OK, GAP),
    Case(
        "live.mp4",
        "fragments of a live stream, timestamps start at 60 s",
        encoded(*H264, *AAC, *FRAGMENTS, "-output_ts_offset", 60, seconds=3),
    ),
    *(
        Case(f"{name}.{kind}", f"{what}, {kind}", still(seconds, *coding), OK, ("short_video",))
        for name, what, seconds in (
            ("still", "one frame, 4 s of audio", 1 / 16),
            ("still_end", "video ends after 2 s, audio after 4 s", 2),
        )
        for kind, coding in STILLS.items()
    ),
    *(
        Case(f"screen.{kind}", f"a frame only at changes, {kind}", screen_recording(*coding))
        for kind, coding in {**STILLS, "ts": (*H264, *AAC), "avi": AVI}.items()
    ),
    Case(
        "screen_mute.ts",
        "a frame only at changes, no audio, MPEG-TS",
        screen_recording(*H264, sound=False),
        OK,
        MUTE,
    ),
)
FRAMES = (
    *(
        Case(f"turned_{turn}.mp4", f"rotation flag of {turn} degrees", rotated_video(turn))
        for turn in (90, 180, 270)
    ),
    Case(
        "odd.mkv",
        "63x47 pixels, 4:4:4",
        encoded("-vf", "format=yuv444p,crop=63:47:exact=1", *LIBX264, *AAC),
    ),
    Case("deep.mp4", "10 bits", encoded(*LIBX264, "-pix_fmt", "yuv420p10le", *AAC)),
    *(
        Case(f"{name}.mp4", f"HDR ({title})", encoded(*LIBX264, *hdr(transfer), *AAC))
        for name, title, transfer in (("pq", "PQ", "smpte2084"), ("hlg", "HLG", "arib-std-b67"))
    ),
    Case("alpha.mov", "alpha channel", encoded("-c:v", "qtrle", "-pix_fmt", "argb", *AAC)),
    Case(
        "anamorphic.mp4", "pixels twice as wide as high", encoded("-vf", "setsar=2/1", *H264, *AAC)
    ),
    Case(
        "interlaced.mp4",
        "interlaced",
        encoded("-vf", "tinterlace=interleave_top", *LIBX264, "-flags", "+ilme+ildct", *AAC),
    ),
    *(
        Case(
            f"thumbnail.{kind}",
            f"a still image before the video track, {kind}",
            thumbnail_first,
            OK,
            ("several_video_tracks",),
        )
        for kind in ("mkv", "mov")
    ),
    Case("black.mp4", "black frames, digital silence", silent_black, OK, ("silent",)),
)
AUDIO = (
    Case("mono_stereo.ts", "mono, then stereo", joined(SEGMENT, (), TWO_CHANNELS)),
    Case("stereo_mono.ts", "stereo, then mono", joined(SEGMENT, TWO_CHANNELS)),
    Case("rates.ts", "44100 Hz, then 48000 Hz", joined(SEGMENT, (), RATE_48000)),
    Case("far_rates.ts", "8000 Hz, then 48000 Hz", joined(SEGMENT, RATE_8000, RATE_48000)),
    Case("layouts.ts", "mono, then 5.1, then stereo", clocks((0, 2, 4), ((), SIX, TWO_CHANNELS))),
    Case("empty_track.mp4", "audio track without packets", empty_track, OK, MUTE),
    Case("unknown.mov", "unknown audio codec", unknown_audio(1), OK, MUTE),
    Case(
        "unknown_first.mov",
        "unknown codec of the first audio track",
        unknown_audio(2),
        OK,
        ("several_audio_tracks",),
    ),
    Case("two_tracks.mp4", "two audio tracks", two_tracks, OK, ("several_audio_tracks",)),
    *(
        Case(f"channels_{n}.mkv", f"{n} channels", encoded(*H264, "-ac", n, *WAVE))
        for n in (1, 2, 6)
    ),
    *(
        Case(f"hz_{rate}.mkv", f"{rate} Hz", encoded(*H264, *WAVE, "-ar", rate))
        for rate in (8000, 44100, 48000, 96000)
    ),
)
KINDS = (
    Case("moving.gif", "GIF", video_only("-c:v", "gif"), OK, MUTE),
    Case("named.avi", "MP4 named .avi", copied(".mp4", *H264, *AAC)),
    Case(
        "xvid.avi",
        "AVI, Xvid, MP3",
        encoded("-c:v", "mpeg4", "-vtag", "XVID", "-c:a", "libmp3lame"),
    ),
    Case(
        "vp9.webm",
        "WebM, VP9, Opus",
        encoded("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"),
    ),
    Case("any.mkv", "Matroska, H.264, AAC", encoded(*H264, *AAC)),
)
GROUPS = {
    "Not a video": NOT_VIDEOS,
    "Damage": DAMAGE,
    "Times": TIMES,
    "Timestamps and still images": TIMESTAMPS,
    "Frames": FRAMES,
    "Audio": AUDIO,
    "Containers and codecs": KINDS,
}
CASES = tuple(case for cases in GROUPS.values() for case in cases)


def outcome(case: Case) -> str:
    """The expected outcome as text."""
    return ": ".join(filter(None, (f"`{case.status}`", ", ".join(case.warnings))))


def treatment(case: Case) -> str:
    """How mafnet treats the input."""
    warnings = map(MediaWarning, case.warnings)
    names = warnings if case.status == OK else (Status(case.status),)
    return "; ".join(name.meaning for name in names) or OK.meaning


def table() -> str:
    """The documentation page about all cases."""
    lines = [HEAD]
    for title, cases in GROUPS.items():
        lines += [f"\n## {title}\n", "| input | outcome | what mafnet does |", "|---|---|---|"]
        lines += [
            f"| {case.description} (`{case.name}`) | {outcome(case)} | {treatment(case)} |"
            for case in cases
        ]
    for title, names in (("Every status", Status), ("Every warning", MediaWarning)):
        lines += [f"\n## {title}\n", "| name | what mafnet does |", "|---|---|"]
        lines += [f"| `{name}` | {name.meaning} |" for name in names]
    return "\n".join(lines) + "\n"


HEAD = f"""# Media: outcomes of bad and unusual files

The module `tests/support/corpus.py` generates these {len(CASES)} inputs, and
`tests/test_video_corpus.py` tests the outcome of each. This command writes this page, and a test
fails if it is out of date:

    PYTHONPATH=tests python -m support.corpus docs/media.md

In `results/{{dataset}}/media.tsv` a video has a `status`, `warnings`, the decoder's message
(`error`) and its number of lines (`error_lines`). The column `outcome` below shows the status and
then the warnings. The last two tables explain every status and warning.

Colours: frames are converted to RGB as ffmpeg does. A video that states its matrix (BT.601, BT.709)
is converted with it. A video that states none is read as BT.601, also in HD, where BT.709 would be
more probable: greens and reds then differ by a few percent. HDR (PQ, HLG) is converted to BT.709
with the filters zscale and tonemap (hable). If the ffmpeg at hand lacks them, the video has the
warning `hdr`. Another ffmpeg that has them extracts such a video again."""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(), encoding="utf-8")
