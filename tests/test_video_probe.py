"""Probing and the media table: every input, also a broken one, is one row with the reason."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_videos import AAC, H264, counting_frames, counting_video, ffmpeg, rotated, tone

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path, ffmpeg_version
from mafnet.video.isolate import Failure, run_isolated
from mafnet.video.media import Media, read_media, write_media
from mafnet.video.probe import probe, probe_many


def answer(call: str) -> str:
    """Runs in a worker: it dies, hangs or answers, depending on its argument."""
    if call == "die":
        os.abort()
    if call == "hang":
        time.sleep(60)
    return call


def test_good_file(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 3, 30, "-ac", "2")
    media = probe(path, "class/a.mp4")
    assert (media.status, media.warnings, media.error) == ("ok", (), "")
    assert (media.video, media.size_bytes) == ("class/a.mp4", path.stat().st_size)
    assert media.mtime_ns == path.stat().st_mtime_ns
    assert len(media.sha256) == 64
    assert (media.duration_seconds, media.start_seconds) == (3, 0)
    assert (media.width, media.height, media.rotation, media.frame_rate) == (64, 48, 0, 30)
    assert (media.video_codec, media.audio_codec) == ("h264", "aac")
    assert (media.audio_channels, media.audio_rate) == (2, 44100)
    assert (media.video_start_seconds, media.audio_start_seconds) == (0, 0)
    assert (media.video_duration_seconds, media.audio_duration_seconds) == (3, 3)


def test_start_and_duration_of_matroska(tmp_path):
    path = counting_video(tmp_path / "a.mkv", 3, 30, "-output_ts_offset", "5")
    media = probe(path, "a.mkv")
    assert media.start_seconds == pytest.approx(5, abs=0.03)  # AAC has 23 ms of priming
    assert media.duration_seconds == pytest.approx(3, abs=0.06)  # priming and padding


def test_rotation_and_two_audio_tracks(tmp_path):
    plain, path = counting_video(tmp_path / "a.mp4", 1), tmp_path / "b.mp4"
    tracks = ("-map", "0:v", "-map", "0:a", "-map", "0:a")
    ffmpeg("-i", plain, *tracks, "-c", "copy", path)
    media = probe(rotated(path, 270), "b.mp4")
    assert (media.rotation, media.warnings) == (270, ("several_audio_tracks",))


def test_no_audio(tmp_path):
    path = tmp_path / "a.mp4"
    ffmpeg(*counting_frames(1), *H264, path)
    media = probe(path, "a.mp4")
    assert (media.status, media.warnings) == ("ok", ("no_audio",))
    assert (media.audio_codec, media.audio_channels) == ("", None)


def test_audio_with_a_cover_is_not_a_video(tmp_path):
    path = tmp_path / "a.mp4"
    cover = ("-disposition:v", "attached_pic", "-c:v", "png", "-frames:v", 1)
    ffmpeg(*tone(1), *counting_frames(1), *AAC, *cover, path)
    assert probe(path, "a.mp4").status == "no_video"
    ffmpeg(*counting_frames(1), *cover, path)
    assert probe(path, "a.mp4").status == "no_video", "a cover alone"


def test_frame_that_is_too_large(tmp_path):
    path = tmp_path / "a.avi"
    source = ("-f", "lavfi", "-i", "color=s=16384x8192:r=1:d=1")
    ffmpeg(*source, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", path)
    media = probe(path, "a.avi")
    assert (media.status, media.error) == ("too_large", "16384x8192 pixels")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", "empty"),
        (bytes(range(256)) * 40, "unreadable"),
        (b"these are words\n" * 99, "unreadable"),
        (b"ffconcat version 1.0\nfile b.mp4\n", "unreadable"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nb.mp4\n#EXT-X-ENDLIST\n", "unreadable"),
    ],
)
def test_file_that_is_not_a_video(tmp_path, content, status):
    counting_video(tmp_path / "b.mp4", 1)
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    media = probe(path, "a.mp4")
    assert (media.status, bool(media.error)) == (status, status == "unreadable")
    assert "\n" not in media.error


def test_still_image_is_not_a_video(tmp_path):
    path = tmp_path / "a.mp4"
    ffmpeg(*counting_frames(1), "-frames:v", 1, "-c:v", "png", "-f", "image2pipe", path)
    assert probe(path, "a.mp4").status == "unreadable"


def test_index_missing(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    media = probe(path, "a.mp4")
    assert media.status == "unreadable"
    assert "moov atom not found" in media.error


def test_missing_paths_and_paths_that_are_not_files(tmp_path):
    os.mkfifo(tmp_path / "fifo.mp4")
    assert probe(tmp_path / "fifo.mp4", "a").status == "not_a_file"
    assert probe(tmp_path, "a").status == "not_a_file"
    assert probe(type(tmp_path)("/dev/zero"), "a").status == "not_a_file"
    assert probe(tmp_path / "none.mp4", "a").status == "missing"
    assert probe(tmp_path / ("x" * 300), "a").status == "unreadable"
    assert probe(tmp_path / "a\0b", "a").status == "unreadable"


@pytest.mark.parametrize("name", ["-a.mp4", "a b.mp4", "%04d.mp4", "a:b.mp4", "a\nb.mp4", "\udcff"])
def test_names_are_not_options_or_patterns(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counting_video(tmp_path / "made.mp4", 1, 8).rename(tmp_path / name)
    media = probe(type(tmp_path)(name), name)
    assert (media.status, media.error) == ("ok", "")


def test_many_files_keep_their_order(tmp_path):
    counting_video(tmp_path / "z", 1, 30, "-f", "mp4")
    counting_video(tmp_path / "a", 1, 30, "-f", "mp4")
    rows = list(probe_many(tmp_path, ["z", "m", "a"], workers=2, timeout_seconds=30))
    assert [(row.video, row.status) for row in rows] == [("z", "ok"), ("m", "missing"), ("a", "ok")]


def test_links_may_not_leave_the_root(tmp_path):
    root, link = tmp_path / "root", tmp_path / "link"
    root.mkdir()
    link.symlink_to(root)
    counting_video(root / "a.mp4", 1)
    counting_video(tmp_path / "secret.mp4", 1)
    (root / "inside.mp4").symlink_to("a.mp4")
    (root / "outside.mp4").symlink_to("../secret.mp4")
    (root / "gone.mp4").symlink_to("/nowhere/a.mp4")
    (root / "device.mp4").symlink_to("/dev/zero")
    (root / "circle.mp4").symlink_to("circle.mp4")
    (root / "folder").symlink_to("..")
    out = ("outside.mp4", "gone.mp4", "device.mp4", "folder/secret.mp4")
    expected = {"a.mp4": "ok", "inside.mp4": "ok"} | dict.fromkeys(out, "outside_root")
    expected["circle.mp4"] = "unreadable"
    for base in (root, link):
        assert {video: probe(base / video, video, base).status for video in expected} == expected


def test_probe_that_hangs_or_dies_does_not_affect_others():
    calls = [("a",), ("die",), ("b",), ("hang",), ("c",)]
    results = list(run_isolated(answer, calls, workers=2, timeout_seconds=3))
    assert [results[0], results[2], results[4]] == ["a", "b", "c"]
    assert isinstance(results[1], Failure)
    assert (results[1].reason, results[3].reason) == ("crashed", "timeout")


def test_ffmpeg_is_found():
    assert os.access(ffmpeg_path(), os.X_OK)
    assert ffmpeg_version()


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
names = st.text(st.sampled_from("az_"), min_size=1)
numbers = st.none() | st.floats(allow_nan=False)


@given(
    st.lists(
        st.builds(
            Media,
            video=texts,
            size_bytes=st.integers(0),
            duration_seconds=numbers,
            width=st.none() | st.integers(),
            start_seconds=numbers,
            warnings=st.lists(names).map(tuple),
            error=texts,
        ),
        unique_by=lambda row: row.video,
    )
)
def test_table_keeps_every_field(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "media.tsv"
    write_media(rows, path)
    assert read_media(path) == sorted(rows, key=lambda row: row.video)
    assert path.read_bytes().count(b"\n") == len(rows) + 1


def test_table_keeps_names_that_are_not_utf8(tmp_path):
    rows = [Media("\udcff\t\n\r\\t\"'.mp4", error='"quoted" and\ttabbed')]
    write_media(rows, tmp_path / "media.tsv")
    assert read_media(tmp_path / "media.tsv") == rows


@pytest.mark.parametrize(
    "damage",
    ["", "video\tsha256\n", "{}extra\tcells\n", "{}a\tb\n", "{}" + 99 * "1\t" + "1\n"],
)
def test_damaged_table_is_one_clear_line(tmp_path, damage):
    path = tmp_path / "media.tsv"
    write_media([], path)
    (tmp_path / ".media.tsv.sha256").unlink()  # as if it was written before there were seals
    path.write_text(damage.format(path.read_text()))
    with pytest.raises(MafnetError, match=r"media\.tsv.*made again$"):
        read_media(path)


def test_an_unknown_status_is_one_clear_line(tmp_path):
    write_media([Media("a.mp4", status="well")], tmp_path / "media.tsv")
    with pytest.raises(MafnetError, match=r"media\.tsv, line 2: is damaged \('well' is not"):
        read_media(tmp_path / "media.tsv")
