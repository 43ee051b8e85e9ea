"""Decoding of damaged, hostile and slow files, and dying decoders: each has a named outcome."""

import signal
import time

import pytest
from support.made_videos import SETTINGS, audio_of, changed, counting_video, frames_of, probed

from mafnet.video.clips import DecodeError
from mafnet.video.config import SAMPLE_RATE
from mafnet.video.decode import decode_audio, decode_frames
from mafnet.video.media import Media
from mafnet.video.pipe import KEPT_CHARACTERS, Pipe

EACH = SETTINGS.frames_per_clip


@pytest.mark.parametrize("name", ["-a.mp4", "a b.mp4", "%04d.mp4", "a:b.mp4", "concat:x|y.mp4"])
def test_names_are_not_options_or_patterns(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counting_video(tmp_path / "made.mp4", 1, 8).rename(tmp_path / name)
    path = type(tmp_path)(name)
    assert len(frames_of(path)[0]) == EACH
    assert len(audio_of(path)[0]) == SAMPLE_RATE


def test_truncated_file_gives_its_clips_and_the_error(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 4, 30, "-movflags", "+faststart")
    whole = frames_of(path)[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, decoding = frames_of(path)
    assert 0 < len(frames) < len(whole)
    assert set(decoding.warnings) == {"decoder_errors", "short_video"}
    assert decoding.error
    assert decoding.error_lines > 0
    assert (frames[:EACH] == whole[:EACH]).all()
    assert "short_audio" in audio_of(path)[1].warnings


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 40, b"words\n" * 99, b"#EXTM3U\n"])
def test_file_that_is_not_a_video_is_undecodable(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with (
        decode_frames(path, Media("a.mp4"), SETTINGS) as decoding,
        pytest.raises(DecodeError, match=r"^undecodable: .*a\.mp4") as caught,
    ):
        next(decoding)
    assert str(tmp_path) not in caught.value.message


def test_playlist_opens_no_other_file(tmp_path):
    counting_video(tmp_path / "secret.ts", 1)
    path = tmp_path / "a.mp4"
    path.write_text("ffconcat version 1.0\nfile secret.ts\n")
    with decode_frames(path, Media("a.mp4"), SETTINGS) as decoding, pytest.raises(DecodeError):
        next(decoding)


def test_decoder_that_takes_too_long_is_killed(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 1)
    # Starting the program alone takes longer than a millisecond.
    settings = changed(timeout_seconds=0.001)
    for decode in (decode_frames, decode_audio):
        decoding = decode(path, probed(path), settings)
        with decoding, pytest.raises(DecodeError, match=r"^timeout"):
            next(decoding)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, "interrupted"), (signal.SIGTERM, "interrupted"),
     (signal.SIGINT, "interrupted"), (signal.SIGXCPU, "interrupted"), (signal.SIGSEGV, "crashed")],
)  # fmt: skip
def test_decoder_that_ends_by_a_signal_is_named(tmp_path, number, status):
    path = counting_video(tmp_path / "a.mp4", 4)
    # Frames so large that ffmpeg waits for the reader before most of the video is decoded.
    settings = changed(frame_size=512)
    with decode_frames(path, probed(path), settings) as decoding:
        next(decoding)
        decoding._pipe._process.send_signal(number)
        with pytest.raises(DecodeError, match=f"^{status}"):
            list(decoding)


def test_close_stops_the_decoder(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 4)
    with decode_frames(path, probed(path), changed(frame_size=512)) as decoding:
        next(decoding)
        process = decoding._pipe._process
        assert process.poll() is None
    assert process.returncode == -9
    assert list(decoding) == []


def test_flood_of_errors_neither_blocks_nor_fills_memory():
    # 7 MB of errors before and after the output: far more than the buffer of a pipe.
    flood = "yes '[h264 @ 0x55d0] damaged' | head -n 250000 >&2"
    data = bytearray(4)
    with Pipe(["sh", "-c", f"{flood}; printf data; {flood}; exit 3"], 30) as pipe:
        assert pipe.read_into(memoryview(data)) == 4
        assert pipe.finish() == 3
        assert (data, pipe.error_lines) == (b"data", 500_000)
        assert pipe.message.endswith("[h264] damaged; [h264] damaged")
        assert len(pipe.message) == KEPT_CHARACTERS


def test_time_of_the_reader_does_not_count():
    with Pipe(["sh", "-c", "printf data"], 0.5) as pipe:
        time.sleep(0.6)
        assert pipe.read_into(memoryview(bytearray(9))) == 4
        assert pipe.finish() == 0


def test_stalled_command_is_killed_with_its_children():
    with Pipe(["sh", "-c", "sleep 60 & echo $!; wait"], 0.5) as pipe:
        line = bytearray(20)
        with pytest.raises(TimeoutError):
            pipe.read_into(memoryview(line))
    child = int(line.split(b"\n")[0])
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(process: int) -> bool:
    """False if the process has ended, also if init has not collected it yet."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
