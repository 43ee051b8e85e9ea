"""The server of `mafnet explore`: what it gives, what it refuses, and copies for browsers."""

import os
import re

import pytest
from support.explored import collection, get, made_results, served
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone

from mafnet.common.errors import MafnetError
from mafnet.report.explore.browser_video import problem, write_copy
from mafnet.report.explore.viewer_server import Copies
from mafnet.video.probe import probe


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_results(tmp_path_factory.mktemp("explore"))


@pytest.fixture(scope="module")
def port(made, tmp_path_factory):
    with served(collection(made, "first"), tmp_path_factory.mktemp("copies")) as port:
        yield port


def test_page_has_a_policy_and_loads_nothing(port):
    response = get(port, "/secret/")
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; media-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.findall(r"(?:https?:)?//[a-z]", response.content.decode().split("<script")[0])


def test_ranges(made, port):
    content = (made.folder / "videos/v0.mp4").read_bytes()
    whole = get(port, "/secret/media/0")
    assert (whole.status, whole.content, whole.headers["Content-Type"]) == (
        200, content, "video/mp4",
    )  # fmt: skip
    part = get(port, "/secret/media/0", Range="bytes=100-199")
    assert (part.status, part.content) == (206, content[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert get(port, "/secret/media/0", Range=f"bytes={len(content)}-").status == 416


@pytest.mark.parametrize(
    "path",
    [
        "/", "/media/0", "/secret/media/6", "/secret/media/-1", "/secret/media/0/../../made.yaml",
        "/secret/media/../../made.yaml", "/secret/media/%2e%2e/%2e%2e/made.yaml", "/other/media/0",
        "/secret/media/..%2f..%2fmade.yaml", "/secret//etc/passwd", "/secret/media/v0.mp4",
        "/secret/copy/6", "/secret/media/" + "9" * 4000,
    ],
)  # fmt: skip
def test_nothing_else_is_served(port, path):
    assert get(port, path).status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_requests_by_another_name_are_refused(port, host):
    for path in ("/secret/", "/secret/media/0"):
        assert get(port, path, host=host or "x@").status == 400
    assert get(port, "/secret/", host=f"localhost:{port}").status == 200


def test_link_that_leads_outside_is_not_served(made, port, tmp_path):
    video, aside = made.folder / "videos/v3.mp4", tmp_path / "v3.mp4"
    video.rename(aside)
    try:
        assert get(port, "/secret/media/3").status == 404
        video.symlink_to(aside)
        assert get(port, "/secret/media/3").status == 404
        video.unlink()
        os.mkfifo(video)
        assert get(port, "/secret/media/3").status == 404
    finally:
        video.unlink()
        aside.rename(video)
    assert get(port, "/secret/media/3").status == 200


def test_copies_are_made_once_and_bounded(made, tmp_path, monkeypatch):
    shown = collection(made, "first")
    videos = list(shown.videos.values())
    copies = Copies(tmp_path, 2)
    first = copies.of(5, videos[5])
    made_at = first.stat().st_mtime_ns
    assert problem(videos[5].media) == "avi, mpeg2video, mp2"
    row = probe(first, "copy")
    assert problem(row) == ""
    assert row.duration_seconds == pytest.approx(2, abs=0.1)  # of 3 s; AAC pads its last frame
    copies.of(0, videos[0])
    assert copies.of(5, videos[5]).stat().st_mtime_ns == made_at
    two = sum(path.stat().st_size for path in tmp_path.iterdir())
    monkeypatch.setattr("mafnet.report.explore.viewer_server.KEPT_BYTES", two)
    copies.of(1, videos[1])
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["1", "5"]
    monkeypatch.setattr("mafnet.report.explore.viewer_server.KEPT_BYTES", 1)
    assert copies.of(5, videos[5]).exists()
    assert [path.stem for path in tmp_path.iterdir()] == ["5"]


@pytest.mark.parametrize(
    ("name", "codecs", "played"),
    [
        ("a.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"), True),
        ("a.mp4", (*H264, "-c:a", "libmp3lame"), True),
        ("a.mp4", H264, True),
        ("a.mkv", (*H264, *AAC), False),
        ("a.mov", (*H264, "-c:a", "pcm_s16le"), False),
        ("a.mp4", ("-c:v", "mpeg4", *AAC), False),
    ],
)
def test_formats_that_browsers_play(tmp_path, name, codecs, played):
    sound = tone(0.5) if "-c:a" in codecs else ()
    ffmpeg(*counting_frames(0.5), *sound, *codecs, tmp_path / name)
    assert (problem(probe(tmp_path / name, name)) == "") == played


def test_a_file_that_cannot_be_converted_leaves_nothing(tmp_path):
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"RIFF" + bytes(1000))
    with pytest.raises(MafnetError, match="no copy for browsers"):
        write_copy(bad, None, 3, tmp_path / "copy.mp4")
    assert list(tmp_path.iterdir()) == [bad]
