"""The corpus of bad and odd media: each input has one outcome, and its good seconds are correct."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.bad_media import LONG, noisy, overwritten, truncated, two_hours
from support.corpus import CASES, table
from support.made_videos import SETTINGS, audio_of, frames_of

from mafnet.features.media_table import media_counts
from mafnet.features.video_check import check_videos
from mafnet.video.clips import DecodeError
from mafnet.video.config import SAMPLE_RATE, VideoSettings
from mafnet.video.decode import decode_frames
from mafnet.video.media import Media, read_media, write_media

EACH = SETTINGS.frames_per_clip


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The media table of the whole corpus, read from its file, by name."""
    root = tmp_path_factory.mktemp("corpus")
    for case in CASES:
        case.make(root / case.name)
    media = check_videos(root, [case.name for case in CASES], VideoSettings(), workers=2)
    write_media(media, root / "media.tsv")
    return {row.video: row for row in read_media(root / "media.tsv")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outcome(rows, case):
    row = rows[case.name]
    assert (row.status, row.warnings) == (case.status, case.warnings), row
    assert case.error in row.error
    assert bool(row.error_lines) == ("decoder_errors" in row.warnings)


def test_every_input_is_counted_once(rows):
    counts = media_counts(rows.values())
    assert sum(counts[name] for name in ("ok", "warned", "failed", "dropped")) == len(CASES)
    assert counts["failed"] == sum(case.status != "ok" for case in CASES)


def test_page_of_outcomes_is_up_to_date():
    page = Path(__file__).parents[1] / "docs/media.md"
    assert page.read_text(encoding="utf-8") == table(), (
        "run: PYTHONPATH=tests python -m support.corpus docs/media.md"
    )


def test_good_seconds_of_an_overwritten_file_are_correct(tmp_path):
    noisy(tmp_path / "whole.mp4")
    overwritten(tmp_path / "damaged.mp4")
    whole, damaged = ((tmp_path / name) for name in ("whole.mp4", "damaged.mp4"))
    same = _equal_clips(frames_of(whole)[0], frames_of(damaged)[0], EACH)
    # 20 kB are within half a second. Concealment ends at the next key frame, within a second.
    assert same.sum() >= LONG - 2
    assert not same.all()
    heard = _equal_clips(audio_of(whole)[0], audio_of(damaged)[0], SAMPLE_RATE)
    # A clip borders on a damaged packet of AAC (23 ms), which overlaps with the next one.
    assert heard.sum() >= LONG - 2
    assert heard[[0, LONG - 1]].all()


def test_good_seconds_of_a_truncated_file_are_correct(tmp_path):
    noisy(tmp_path / "whole.mp4")
    truncated(tmp_path / "damaged.mp4")
    whole, damaged = ((tmp_path / name) for name in ("whole.mp4", "damaged.mp4"))
    for decode, size in ((frames_of, EACH), (audio_of, SAMPLE_RATE)):
        expected, found = decode(whole)[0], decode(damaged)[0]
        assert len(expected) == LONG * size
        # All but the last clip, which ends early.
        good = len(found) - size
        assert good >= 3 * size
        assert (found[:good] == expected[:good]).all()


def test_two_hours_cost_no_more_than_their_first_seconds(tmp_path):
    two_hours(tmp_path / "long.mp4")
    used = _cost(tmp_path / "long.mp4", LONG)
    # Measured: 0.3 s and 60 MB (Python and PyAV), and 40 MB (ffmpeg).
    assert used["clips"] == [LONG, LONG]
    assert used["seconds"] < 20
    assert max(used["megabytes"]) < 300


@pytest.mark.slow
def test_two_hours_are_decoded_in_bounded_memory(tmp_path):
    two_hours(tmp_path / "long.mp4")
    used = _cost(tmp_path / "long.mp4", 7200)
    assert used["clips"] == [7200, 7200]
    assert max(used["megabytes"]) < 300


def test_stream_that_stalls_is_killed(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with (
        decode_frames(tmp_path / "a.mp4", Media("a.mp4"), VideoSettings(timeout_seconds=0.5)) as it,
        pytest.raises(DecodeError, match=r"^timeout"),
    ):
        next(it)


def _equal_clips(one: np.ndarray, other: np.ndarray, size: int) -> np.ndarray:
    """Which clips are equal to the last bit."""
    assert one.shape == other.shape
    return (one == other).reshape(len(one) // size, -1).all(1)


def _cost(path: Path, clips: int) -> dict:
    """Clips of frames and audio, seconds, and the peak memory of Python and of ffmpeg in MB."""
    script = """
import json, re, resource, sys, time
from pathlib import Path
from support.made_videos import SETTINGS, probed, with_clips
from mafnet.video.decode import decode_audio, decode_frames
path, settings = Path(sys.argv[1]), with_clips(int(sys.argv[2]))
start, media = time.monotonic(), probed(path)
counts = []
for decode in (decode_frames, decode_audio):
    with decode(path, media, settings) as decoding:
        counts.append(sum(1 for _ in decoding))
# ru_maxrss of Python starts at the value of the parent process, which may be larger.
own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
peaks = [peak // 1024 for peak in (own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)]
print(json.dumps({"clips": counts, "seconds": time.monotonic() - start, "megabytes": peaks}))
"""
    command = [sys.executable, "-c", script, str(path), str(clips)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
