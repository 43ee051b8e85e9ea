"""Bad and odd media, made anew by the tests, each with the outcome that mafnet must give it.

`PYTHONPATH=tests python -m support.corpus docs/media.md` writes the table of them.
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
    far_too_vast,
    flagged,
    overwritten,
    picture,
    playlist,
    png,
    riddled,
    silent_black,
    stub,
    truncated,
    two_hours,
    two_tracks,
    uneven,
    vast,
    without_index,
    written,
)
from support.made_videos import AAC, H264, ffmpeg, tone
from support.odd_media import (
    FRAGMENTS,
    SEGMENT,
    TWO_CHANNELS,
    between_key_frames,
    empty_track,
    hour_ahead,
    joined,
    silent_middle,
    still,
    thumbnail_first,
    unknown_audio,
    webcam,
)

from mafnet.video.status import MediaWarning, Status

OK = Status.OK
RANDOM = bytes(place * place * 7 % 251 for place in range(20_000))


@dataclass(frozen=True)
class Case:
    """One input: how it is made at a path, and what its row of the media table must say.

    words: what the row's error text must contain: the decoder's own words.
    """

    name: str
    what: str
    make: Maker
    status: str = OK
    warnings: tuple[str, ...] = ()
    words: str = ""


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile plain.mp4\n"
PAGE = "<!DOCTYPE html><html><body>404 Not Found</body></html>"
ALL_SHORT = ("decoder_errors", "short_video", "short_audio")
LATE_SOUND = ("-af", "atrim=start=1")
LATE_PICTURE = ("-vf", "trim=start=1")
WAVE = ("-c:a", "pcm_s16le")
VARIABLE = ("-vf", "select='lt(n,7)+not(mod(n,5))'", "-fps_mode", "vfr")
MUTE = ("no_audio",)
GAP = ("gap",)
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus")
STILLS = {"mp4": (*H264, *AAC), "mkv": (*H264, *AAC), "webm": VP9}
RATE_48000 = ("-ar", 48000)

NO_VIDEOS = (
    Case("empty.mp4", "0 bytes", written(b""), "empty"),
    Case("random.mp4", "random bytes", written(RANDOM), "unreadable", words="Invalid data"),
    Case("text.mp4", "text", playlist("these are words\n" * 99), "unreadable", words="Invalid"),
    Case("page.mp4", "an error page of a download", playlist(PAGE), "unreadable", words="Invalid"),
    Case("png.mp4", "a PNG picture", png, "unreadable", words="not on whitelist"),
    Case("hls.mp4", "an HLS playlist", playlist(HLS), "unreadable", words="Invalid"),
    Case("concat.mp4", "a concat list", playlist(CONCAT), "unreadable", words="whitelist"),
    Case("sound.mp4", "sound alone", lambda path: ffmpeg(*tone(2), *AAC, path), "no_video"),
    Case("gone.mp4", "no such file", lambda path: None, "missing"),
    Case("folder.mp4", "a folder", Path.mkdir, "not_a_file"),
    Case("fifo.mp4", "a FIFO, which stalls for ever", os.mkfifo, "not_a_file"),
    Case("link.mp4", "a link to a device without end", device, "outside_root", words="/dev/zero"),
    Case("vast.avi", "16384x8192 pixels", vast, "too_large", words="16384x8192"),
    Case(
        "claim.avi", "a header claiming 60000x60000", far_too_vast, "undecodable", words="rawvideo"
    ),
)
DAMAGE = (
    Case(
        "index.mp4", "no index, as after a broken upload", without_index, "unreadable", words="moov"
    ),
    Case("truncated.mp4", "index in front, second half missing", truncated, OK, ALL_SHORT),
    Case(
        "stub.mp4", "index in front, 9/10 missing", stub, "damaged", ALL_SHORT[:2], "clips are lost"
    ),
    Case("truncated.mkv", "Matroska, second half missing", truncated, OK, ALL_SHORT),
    Case("overwritten.mp4", "20 kB in the middle overwritten", overwritten, OK, ALL_SHORT[:1]),
    Case("webcam.avi", "MJPEG, an error at every frame", webcam, OK, ALL_SHORT[:1]),
    Case("cut_in.ts", "begins between key frames", between_key_frames, OK, ALL_SHORT[:1]),
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
    Case("mute.mp4", "no sound", picture(*H264), OK, MUTE),
    Case("short_sound.mp4", "sound of 1 s of 2 s", uneven(2, 1), OK, ("short_audio",)),
    Case("short_picture.mp4", "picture of 1 s of 3 s", uneven(1, 3), OK, ("short_video",)),
    Case("late_sound.mp4", "sound starts after 1 s", encoded(*LATE_SOUND, *H264, *AAC)),
    Case("late_picture.mkv", "picture starts after 1 s", encoded(*LATE_PICTURE, *H264, *WAVE)),
    Case("start_5.ts", "container starts at 5 s", encoded(*H264, *AAC, "-output_ts_offset", 5)),
    Case(
        "negative.mp4",
        "B frames, edit list, first stamp < 0",
        encoded("-c:v", "libx264", "-bf", 3, *AAC),
    ),
    Case("variable.mp4", "variable frame rate", encoded(*VARIABLE, *H264, *AAC)),
    *(
        Case(f"fps_{rate}.mp4", f"{rate} frames/s", encoded(*H264, *AAC, rate=rate))
        for rate in (60, 8, 1)
    ),
    Case("frame.mp4", "one frame", picture("-frames:v", 1, *H264), OK, MUTE),
    Case("half.mp4", "0.5 s", encoded(*H264, *AAC, seconds=0.5)),
    Case("nearly_10.mp4", "9.93 s", encoded(*H264, *AAC, seconds=9.93)),
    Case("two_hours.mp4", "two hours", two_hours),
)
CLOCKS = (
    Case("jump.ts", "joined, clock jumps ahead by an hour", joined(3600), OK, GAP),
    Case("jump.mkv", "Matroska, clock jumps ahead by an hour", hour_ahead, OK, GAP),
    Case("restart.ts", "joined, clock restarts", joined(0), OK, GAP),
    Case("gap.mkv", "1 s of the audio is missing", silent_middle, OK, GAP),
    Case(
        "live.mp4",
        "fragments of a live stream, clock starts at 60 s",
        encoded(*H264, *AAC, *FRAGMENTS, "-output_ts_offset", 60, seconds=3),
    ),
    *(
        Case(f"{name}.{kind}", f"{what}, {kind}", still(seconds, *coding), OK, ("short_video",))
        for name, what, seconds in (
            ("still", "one frame and 4 s of audio", 1 / 16),
            ("still_end", "still after 2 s", 2),
        )
        for kind, coding in STILLS.items()
    ),
)
PICTURES = (
    *(
        Case(f"turned_{turn}.mp4", f"flag: turn by {turn} degrees", flagged(turn))
        for turn in (90, 180, 270)
    ),
    Case(
        "odd.mkv",
        "63x47 pixels, 4:4:4",
        encoded("-vf", "format=yuv444p,crop=63:47:exact=1", *LIBX264, *AAC),
    ),
    Case("deep.mp4", "10 bits", encoded(*LIBX264, "-pix_fmt", "yuv420p10le", *AAC)),
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
            f"a still in front of the video track, {kind}",
            thumbnail_first,
            OK,
            ("several_video_tracks",),
        )
        for kind in ("mkv", "mov")
    ),
    Case("black.mp4", "black picture, digital silence", silent_black),
)
SOUNDS = (
    Case("mono_stereo.ts", "mono, then stereo", joined(SEGMENT, (), TWO_CHANNELS)),
    Case("stereo_mono.ts", "stereo, then mono", joined(SEGMENT, TWO_CHANNELS)),
    Case("rates.ts", "44100 Hz, then 48000 Hz", joined(SEGMENT, (), RATE_48000)),
    Case("empty_track.mp4", "audio track without packets", empty_track, OK, MUTE),
    Case("unknown.mov", "unknown audio codec", unknown_audio(1), OK, MUTE),
    Case(
        "unknown_first.mov",
        "unknown codec of the first audio track",
        unknown_audio(2),
        OK,
        ("several_audio_tracks",),
    ),
    Case("two_tracks.mp4", "two sound tracks", two_tracks, OK, ("several_audio_tracks",)),
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
    Case("moving.gif", "GIF", picture("-c:v", "gif"), OK, MUTE),
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
    "What is no video": NO_VIDEOS,
    "Damage": DAMAGE,
    "Times": TIMES,
    "Clocks and stills": CLOCKS,
    "Pictures": PICTURES,
    "Sound": SOUNDS,
    "Containers and codecs": KINDS,
}
CASES = tuple(case for cases in GROUPS.values() for case in cases)


def outcome(case: Case) -> str:
    """The asserted outcome in words."""
    return ": ".join(filter(None, (f"`{case.status}`", ", ".join(case.warnings))))


def answer(case: Case) -> str:
    """What mafnet does with the input."""
    warnings = map(MediaWarning, case.warnings)
    names = warnings if case.status == OK else (Status(case.status),)
    return "; ".join(name.meaning for name in names) or OK.meaning


def table() -> str:
    """The corpus as a page of documentation."""
    lines = [HEAD]
    for title, cases in GROUPS.items():
        lines += [f"\n## {title}\n", "| input | outcome | what mafnet does |", "|---|---|---|"]
        lines += [
            f"| {case.what} (`{case.name}`) | {outcome(case)} | {answer(case)} |" for case in cases
        ]
    for title, names in (("Every status", Status), ("Every warning", MediaWarning)):
        lines += [f"\n## {title}\n", "| name | what mafnet does |", "|---|---|"]
        lines += [f"| `{name}` | {name.meaning} |" for name in names]
    return "\n".join(lines) + "\n"


HEAD = f"""# Media: what becomes of bad and odd files

Every one of these {len(CASES)} inputs is made by `tests/support/corpus.py` and its outcome
asserted by `tests/test_video_corpus.py`. This page is written by

    PYTHONPATH=tests python -m support.corpus docs/media.md

and a test fails when it is out of date. In `results/{{dataset}}/media.tsv` a video has a `status`,
`warnings`, the decoder's message (`error`) and the number of its lines (`error_lines`). The
outcomes below are the status and then the warnings; the last two tables list all names."""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(), encoding="utf-8")
