"""Files from the field: the right frames and audio, whatever headers and clocks state."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.made_videos import (
    AAC,
    H264,
    SETTINGS,
    audio_of,
    changed,
    ffmpeg,
    frame_numbers,
    frames_of,
    probed,
    tone,
)
from support.odd_media import (
    SEGMENT,
    TWO_CHANNELS,
    clocks,
    empty_track,
    hour_ahead,
    joined,
    jump_alone,
    screen_recording,
    segment,
    still,
    thumbnail_first,
)

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_version
from mafnet.features import decode_pool
from mafnet.features.decode_pool import End, decode_in_parallel
from mafnet.video import probe as probing
from mafnet.video.config import SAMPLE_RATE
from mafnet.video.decode import decode_audio, decode_frames
from mafnet.video.media import Media
from mafnet.video.packets import Packets
from mafnet.video.probe import probe

EACH = SETTINGS.frames_per_clip
BLOCK = SAMPLE_RATE // 16


def is_loud(samples):
    """For each 1/16 s, True if there is a tone."""
    return np.abs(samples.astype(int)).reshape(-1, BLOCK).max(1) > 2000


@pytest.mark.parametrize("start", [3600, 0, 13, 1])
def test_joined_segments_are_complete_and_synchronous(tmp_path, start):
    path = tmp_path / "a.ts"
    joined(start)(path)
    numbers = frame_numbers(frames_of(path)[0])
    expected = np.arange(2 * SEGMENT * EACH)
    # The audio of a segment may end 23 ms after its frames, so a frame may come one later.
    assert len(numbers) == len(expected)
    assert np.abs(np.array(numbers) - expected).max() <= 1
    loud = is_loud(audio_of(path)[0])
    assert len(loud) == len(expected)
    assert loud[:-1].all()


@pytest.mark.parametrize(
    "starts", [(100, 50), (0, 5000, 30), (100, 4, 2000, 1), (26 * 3600, 0), (95441,), (7200, 7200)]
)
def test_clocks_in_any_order_are_joined(tmp_path, starts):
    path = tmp_path / "a.ts"
    clocks(starts)(path)
    numbers = frame_numbers(frames_of(path)[0])
    expected = np.arange(len(starts) * SEGMENT * EACH)
    # Each segment may be one frame late, as its audio ends up to 42 ms after its frames.
    assert np.abs(np.array(numbers[: len(expected)]) - expected).max() <= len(starts)
    loud = is_loud(audio_of(path)[0])
    assert loud[: len(expected) - 1].all()
    assert probed(path).duration_seconds == pytest.approx(len(starts) * SEGMENT, abs=0.2)


@pytest.mark.parametrize("option", ["-vf", "-af"])
def test_clock_of_one_stream_that_jumps_alone_is_moved_to_its_own_end(tmp_path, option):
    path = tmp_path / "a.mkv"
    jump_alone(option)(path)
    numbers = np.array(frame_numbers(frames_of(path)[0]))
    # Matroska rounds times to a millisecond, so a frame may come one later.
    assert np.abs(numbers - np.arange(4 * EACH)).max() <= 1
    loud = is_loud(audio_of(path)[0])
    assert (len(loud), loud.all()) == (4 * EACH, True)
    assert probed(path).warnings == ("gap",)


@pytest.mark.parametrize(("audio", "first"), [(1, "audio"), (1, "video")])
def test_segments_are_joined_behind_the_stream_that_ends_last(tmp_path, audio, first):
    parts = []
    for number, seconds in enumerate((audio, SEGMENT)):
        part = tmp_path / f"{number}.ts"
        late = f"{'a' * (first == 'video')}setpts=PTS+{0.2 * number}/TB"
        filters = ("-vf" if first == "audio" else "-af", late)
        coding = (*filters, *H264, "-bf", 0, *AAC, "-f", "mpegts")
        ffmpeg(*segment(number), *tone(seconds), *coding, part)
        parts.append(part.read_bytes())
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(parts))
    assert probed(path).duration_seconds == pytest.approx(2 * SEGMENT, abs=0.3)
    numbers = np.array(frame_numbers(frames_of(path)[0])[: SEGMENT * EACH])
    assert np.abs(numbers - np.arange(SEGMENT * EACH)).max() <= 1
    loud = is_loud(audio_of(path)[0])
    assert loud[:15].all()
    assert not loud[18:31].any()
    assert loud[37:62].all()


def test_still_frames_beside_a_jump_are_no_jumps(tmp_path):
    path = tmp_path / "a.ts"
    parts = []
    for number in range(2):
        part = tmp_path / f"{number}.ts"
        color = f"color=s=64x48:r=1:d=26,geq=lum={16 + 40 * number}+N:cb=128:cr=128"
        stills = ("-vf", "select='not(mod(n,12))'", "-fps_mode", "vfr")
        coding = (*H264, "-bf", 0, *AAC, "-f", "mpegts")
        ffmpeg("-f", "lavfi", "-i", color, *tone(26), *stills, *coding, part)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    frames, _ = frames_of(path, changed(clips=50))
    seconds = np.array(frame_numbers(frames)[::EACH])
    assert seconds[[5, 15, 25, 30, 40]].tolist() == [0, 12, 24, 40, 52]


def test_times_that_the_demuxer_calculated_are_no_clocks(tmp_path):
    path = tmp_path / "a.ts"
    joined(SEGMENT, ("-ar", 8000), ("-ar", 48000))(path)
    media = probed(path)
    assert (media.warnings, media.clock_offsets) == ((), ())
    assert media.duration_seconds == pytest.approx(2 * SEGMENT, abs=0.1)
    samples, decoding = audio_of(path)
    assert len(samples) == 2 * SEGMENT * SAMPLE_RATE
    # The encoder at 8,000 Hz begins with a quarter of a second of silence.
    assert is_loud(samples)[4:-1].sum() >= len(samples) // BLOCK - 5 - 4
    assert decoding.warnings == ()


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_screen_recording_shows_each_frame_until_the_next_one(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    screen_recording(*H264, *AAC)(path)
    settings = changed(clips=25)
    seconds = frame_numbers(frames_of(path, settings)[0])[:: EACH // 4]
    expected = [max(n for n in (0, 5, 6, 7, 45, 95) if n <= frame) for frame in range(96)]
    # The others may start with the audio, 23 ms before the first frame.
    late = np.array(seconds[:96]) != expected
    assert len(seconds) == 96
    assert late.sum() <= (0 if kind == "mp4" else 6)


def test_interval_of_seconds_in_both_streams_is_kept_with_a_warning(tmp_path):
    path = tmp_path / "a.ts"
    joined(8)(path)
    media = probed(path)
    assert (media.warnings, media.clock_offsets) == (("gap",), ())
    assert media.duration_seconds == pytest.approx(8 + SEGMENT, abs=0.1)
    assert frame_numbers(frames_of(path)[0])[7 * EACH] == SEGMENT * EACH - 1


def test_clock_that_jumps_in_any_container_is_repaired_in_both_streams(tmp_path):
    path = tmp_path / "a.mkv"
    hour_ahead(path)
    numbers = np.array(frame_numbers(frames_of(path)[0]))
    assert np.abs(numbers - np.arange(2 * EACH)).max() <= 1
    assert is_loud(audio_of(path)[0])[:-1].all()


def test_jump_that_is_not_repaired_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "a.ts"
    joined(36_000)(path)
    # Without the row of the probe, the decoder does not know about the jump.
    unknown = Media("a.ts", start_seconds=probed(path).start_seconds, audio_codec="aac")
    for decode in (decode_frames, decode_audio):
        with decode(path, unknown, changed(decoder_memory_mb=1000)) as decoding:
            assert len(list(decoding)) == SETTINGS.clips


@pytest.mark.parametrize(
    ("before", "after"),
    [((), TWO_CHANNELS), (TWO_CHANNELS, ()), ((), ("-ar", 48000)), (("-ar", 22050), ())],
)
def test_audio_that_changes_is_decoded_to_its_end(tmp_path, before, after):
    path = tmp_path / "a.ts"
    joined(SEGMENT, before, after)(path)
    samples, decoding = audio_of(path)
    loud = is_loud(samples)[: 2 * SEGMENT * 16]
    assert len(loud) == 2 * SEGMENT * 16
    # At the change, each encoder's delay (1,024 or 2,048 samples) may be silent.
    assert loud[:-1].sum() >= len(loud) - 4
    assert (decoding.warnings, decoding.error_lines) == ((), 0)


@pytest.mark.parametrize("start", [SEGMENT, 0])
@pytest.mark.parametrize(("before", "after"), [(22050, 44100), (48000, 16000), (32000, 44100)])
def test_audio_is_synchronous_after_a_change_of_its_rate(tmp_path, before, after, start):
    path = tmp_path / "a.ts"
    beep = ("-af", "aeval=val(0)*between(t\\,1\\,1.2):c=same")
    joined(start, ("-ar", before), ("-ar", after, *beep))(path)
    samples, decoding = audio_of(path)
    if start:
        assert len(samples) == 2 * SEGMENT * SAMPLE_RATE
    loud = np.flatnonzero(np.abs(samples[SEGMENT * SAMPLE_RATE + 4000 :].astype(int)) > 1000)
    onset, end = (loud[[0, -1]] + 4000) / SAMPLE_RATE
    # With one clock, the stated times count: the first segment is as late as its encoder, one
    # packet of 1,024 samples. With two, the second segment also waits for the first one's packets.
    late = 0.06 if start else 0.15
    assert -0.03 < onset - 1 < late
    assert end - onset == pytest.approx(0.2, abs=0.03)
    assert (decoding.warnings, decoding.error_lines) == ((), 0)


def test_last_frame_is_held_to_the_end_of_the_file(tmp_path):
    path = tmp_path / "a.mp4"
    still(1, "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p", "-c:a", "aac")(path)
    frames, _ = frames_of(path)
    assert frame_numbers(frames) == [min(n, EACH - 1) for n in range(4 * EACH)]


def test_moving_track_is_preferred_to_a_still(tmp_path):
    path = tmp_path / "a.mov"
    thumbnail_first(path)
    assert frame_numbers(frames_of(path)[0])[:EACH] == list(range(EACH))
    assert (probed(path).width, probed(path).video_track) == (64, 1)


def test_audio_track_without_packets_is_no_audio(tmp_path):
    path = tmp_path / "a.mp4"
    empty_track(path)
    assert (probed(path).audio_codec, len(audio_of(path)[0])) == ("", 0)


def test_decoder_that_fills_its_memory_is_stopped_and_named(tmp_path):
    path = tmp_path / "a.ts"
    joined(36_000)(path)
    # Two hours of clips and no row of the probe: ffmpeg fills the jump with frames. It runs in a
    # separate process, because the peak memory of children is the largest of all children so far.
    script = """
import resource, sys
from pathlib import Path
from support.made_videos import changed, probed
from mafnet.video.clips import DecodeError
from mafnet.video.decode import decode_frames
from mafnet.video.media import Media
path = Path(sys.argv[1])
unknown = Media("a.ts", start_seconds=probed(path).start_seconds)
settings = changed(clips=7200, frame_size=224, decoder_memory_mb=1000, timeout_seconds=5)
try:
    with decode_frames(path, unknown, settings) as decoding:
        for _ in decoding:
            pass
except DecodeError as error:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, error)
"""
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    peak, _, message = done.stdout.partition(" ")
    # ffmpeg 9 keeps these frames in memory; ffmpeg 5 returns them one by one and takes long.
    reason = "timeout" if ffmpeg_version().startswith("5.") else "out_of_memory"
    assert message.startswith(reason)
    assert int(peak) < 1000


def test_exception_in_a_probe_becomes_the_row_of_its_file(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setattr(probing, "_opened", lambda *_: 1 / 0)
    row = probe(tmp_path / "a.mp4", "a.mp4")
    assert (row.video, row.status) == ("a.mp4", "crashed")
    assert row.error == "ZeroDivisionError: division by zero"


def test_exception_about_one_file_leaves_the_others(tmp_path, monkeypatch):
    media = []
    for name in ("a.ts", "b.ts"):
        joined(SEGMENT)(tmp_path / name)
        media.append(probe(tmp_path / name, name))

    def decode(path, media, settings):
        if media.video == "a.ts":
            raise KeyError("odd")
        return decode_frames(path, media, settings)

    monkeypatch.setitem(decode_pool.DECODE, "visual", decode)
    events = decode_in_parallel(media, tmp_path, "visual", SETTINGS, 1)
    ends = [event for event in events if isinstance(event, End)]
    assert [(end.video, end.status) for end in ends] == [(0, "crashed"), (1, "ok")]
    assert ends[0].error == "KeyError: 'odd'"


def test_fault_of_the_machine_ends_the_run(tmp_path, monkeypatch):
    joined(SEGMENT)(tmp_path / "a.ts")
    media = [probe(tmp_path / "a.ts", "a.ts")]

    def decode(path, media, settings):
        raise MafnetError("no ffmpeg")

    monkeypatch.setitem(decode_pool.DECODE, "visual", decode)
    with pytest.raises(MafnetError, match="no ffmpeg"):
        list(decode_in_parallel(media, tmp_path, "visual", SETTINGS, 1))


def test_packets_of_the_earlier_clock_may_come_after_the_jump():
    packets = Packets()
    for stream, second in ((0, 0), (1, 0), (0, 1), (0, 100), (1, 1), (1, 100), (0, 101)):
        packets.add(stream, second, second, 1, joins=True)
    assert packets.offsets == [0, -98]
    assert [(track.start, track.end) for track in packets.tracks.values()] == [(0, 4), (0, 3)]


def test_interval_of_one_stream_is_not_a_new_clock():
    packets = Packets()
    for second in range(30):
        packets.add(1, second, second, 1, joins=False)
    packets.add(0, 0, 0, 1, joins=False)
    packets.add(0, 25, 25, 1, joins=False)
    assert packets.offsets == [0]
    assert packets.tracks[0].gap
    assert not packets.tracks[1].gap
