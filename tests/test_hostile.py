"""Hostile input: files that try to open other files, run code or write elsewhere."""

import logging
import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file
from support.made_videos import SETTINGS, counting_video

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.common.files import sha256_of
from mafnet.common.terminal import PrintableFormatter, printable
from mafnet.dataset.manifest import Sample, read_manifest, write_manifest
from mafnet.features.backbones import frozen_network
from mafnet.features.extract import extractor
from mafnet.features.feature_file import open_features
from mafnet.features.media_table import outcome_table
from mafnet.features.pack import pack
from mafnet.features.shard_report import read_report, write_report
from mafnet.features.video_check import check_videos
from mafnet.features.weights.fetch import fetch
from mafnet.features.weights.files import load
from mafnet.features.weights.published import Published
from mafnet.plan.config import read_config
from mafnet.video.clips import DecodeError
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_audio, decode_frames
from mafnet.video.media import Media, read_media, write_media
from mafnet.video.probe import probe

EXTENSIONS = (".mp4", ".avi", ".ts", ".m3u8", ".mpd", ".sdp", ".ffconcat", ".txt", ".gif", ".rm")
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
m=video {port} RTP/AVP 96
a=rtpmap:96 H264/90000
"""
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">
<Period><AdaptationSet contentType="video"><Representation id="0" bandwidth="1" mimeType="video/mp4"
codecs="avc1.42001e" width="64" height="48"><BaseURL>{url}</BaseURL></Representation>
</AdaptationSet></Period></MPD>
"""
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n"
PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile '{path}'\n",
    "concat_url": "ffconcat version 1.0\nfile {url}\n",
    "hls_file": HLS.replace("url", "path"),
    "hls": HLS,
    "hls_key": HLS.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{path}"\n#EXTINF'),
    "dash": DASH,
    "dash_file": DASH.replace("url", "path"),
    "sdp": SDP,
    "asx": '<ASX VERSION="3.0"><ENTRY><REF HREF="{url}"/></ENTRY></ASX>\n',
    "asf": "[Reference]\nRef1={url}\n",
    "pls": "[playlist]\nFile1={url}\n",
    "rtsp": "rtsptext\n{url}\n",
    "avisynth": 'AviSource("{path}")\n',
    "lavfi": "movie={path}\n",
}


@contextmanager
def listener():
    """A server socket on this machine; `has_connection` tells whether a program connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def has_connection(server) -> bool:
    """True if a program has connected to the server."""
    with suppress(BlockingIOError):
        server.accept()[0].close()
        return True
    return False


class Canary:
    """A FIFO that detects any reader, because a reader waits until a writer opens the FIFO."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path, self.opened, self._done = path, False, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.002):
            with suppress(OSError):  # ENXIO: no reader
                os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
                self.opened = True


def test_canary_and_listener_detect_access(tmp_path):
    listed = tmp_path / "list"
    with Canary(tmp_path / "canary.ts") as canary, listener() as server:
        for name, options in (
            ("concat", ("-f", "concat", "-safe", "0")),
            ("hls", ("-f", "hls", "-protocol_whitelist", "file,http,tcp")),
        ):
            url = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
            listed.write_text(PLAYLISTS[name].format(path=canary.path, url=url))
            command = [ffmpeg_path(), "-v", "error", *options, "-i", str(listed), "-f", "null", "-"]
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, timeout=2, stdin=subprocess.DEVNULL)
        assert canary.opened
        assert has_connection(server)


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_open_no_other_file_or_address(tmp_path, name):
    settings = VideoSettings(frame_size=32, timeout_seconds=20)
    with Canary(tmp_path / "canary.ts") as canary, listener() as server:
        port = server.getsockname()[1]
        url = f"http://127.0.0.1:{port}/a.ts"
        for extension in EXTENSIONS:
            path = tmp_path / f"a{extension}"
            path.write_text(PLAYLISTS[name].format(path=canary.path, url=url, port=port))
            assert probe(path, path.name).status == "unreadable"
        # The extension matters little for the ffmpeg program, so two are enough.
        for path in (tmp_path / "a.mp4", tmp_path / "a.m3u8"):
            with decode_frames(path, Media("a"), settings) as clips, pytest.raises(DecodeError):
                next(clips)
            with (
                decode_audio(path, Media("a", audio_codec="aac"), settings) as clips,
                pytest.raises(DecodeError),
            ):
                next(clips)
        assert not canary.opened
        assert not has_connection(server)


def test_numbered_images_are_not_a_video(tmp_path):
    for number in range(3):
        command = ("-v", "error", "-f", "lavfi", "-i", "color=s=64x48", "-frames:v", "1")
        subprocess.run([ffmpeg_path(), *command, tmp_path / f"{number:04d}.png"], check=True)
    for name in ("%04d.png", "*.png", "0000.png"):
        assert probe(tmp_path / name, name).status in ("missing", "unreadable")
        with (
            decode_frames(tmp_path / name, Media(name), SETTINGS) as clips,
            pytest.raises(DecodeError),
        ):
            next(clips)


NAMES = (
    "-i.mp4", "a b.mp4", "it's \"quoted\".mp4", "new\nline.mp4", "tab\tand\rreturn.mp4", "%04d.mp4",
    "a:b.mp4", "concat:x|y.mp4", "pipe:0", "[red]bold[/red].mp4", "\x1b[31mred.mp4", "ä€😀.mp4",
    "e\u0301.mp4", "\u202egnp.mp4", "back\\slash.mp4", "$(touch owned).mp4", "comma,semi;.mp4",
    "x" * 251 + ".mp4", "...mp4", "~", "a" + "/b" * 20 + ".mp4",
)  # fmt: skip


def test_videos_with_any_name_get_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "root"
    video = counting_video(tmp_path / "video.mp4", 1, 8)
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(video, root / name)
    # One file has other content, so not all videos share one entry of the cache.
    (root / NAMES[0]).unlink()
    counting_video(root / NAMES[0], 1, 9)
    manifest = tmp_path / "manifest.csv"
    write_manifest([Sample(f"s{n}", name, "x", "train") for n, name in enumerate(NAMES)], manifest)
    videos = [sample.video for sample in read_manifest(manifest)]
    assert tuple(videos) == NAMES
    rows = check_videos(root, videos, VideoSettings(clips=2), workers=2)
    write_media(rows, tmp_path / "media.tsv")
    media = read_media(tmp_path / "media.tsv")
    assert [row.video for row in media] == sorted(NAMES)
    assert {row.status for row in media} == {"ok"}
    worker = _audio_extractor(tmp_path, root)
    write_report(worker.extract(media), tmp_path / "report.tsv")
    assert [row.video for row in read_report(tmp_path / "report.tsv")] == sorted(NAMES)
    pack(media, worker, tmp_path / "audio.h5", maps=True)
    assert set(open_features(tmp_path / "audio.h5").rows) == set(NAMES)
    assert not (tmp_path / "owned").exists()


def _audio_extractor(tmp_path, root):
    torch.set_num_threads(1)
    tensors = frozen_network("vggish").random_weights(0)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "w")
    settings = {"video": {"clips": 2}, "features": {"backbone": "vggish", "weights": "random"}}
    return extractor(root, tmp_path / "w", tmp_path / "cache", settings, 1, "cpu")


def test_names_cannot_send_commands_to_the_terminal(tmp_path):
    rows = [Media(name, status="missing") for name in NAMES]
    console = Console(file=(tmp_path / "out").open("w"), force_terminal=True, width=200)
    console.print(outcome_table([Media("[red]\x1b]0;title\x07.mp4", status="missing"), *rows], "t"))
    console.file.close()
    shown = (tmp_path / "out").read_text()
    assert r"[red]\x1b]0;title\x07.mp4" in shown
    assert "\x1b]" not in shown
    record = logging.LogRecord(
        "x", logging.INFO, "", 1, "%s: bad\nline", ("\x1b[2J\r\u202e",), None
    )
    assert PrintableFormatter("%(message)s").format(record) == "\\x1b[2J\\r\\u202e: bad\nline"
    assert printable("ä€😀 [b]") == "ä€😀 [b]"
    assert printable("\udcff\x9b") == r"\udcff\x9b"


class Exploit:
    """Creates a folder when it is unpickled; weights files must not be able to do this."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_weights_files_run_no_code(tmp_path):
    owned = tmp_path / "owned"
    torch.save({"weight": Exploit(str(owned))}, tmp_path / "weights.pth")
    digest = sha256_of(tmp_path / "weights.pth")
    published = Published("vggish", "x", "1", "torch", "weights.pth", digest, ())
    with pytest.raises(MafnetError, match="is not a torch file of weights"):
        fetch(published, tmp_path, tmp_path / "out.safetensors")
    with pytest.raises(MafnetError, match="is not a safetensors file"):
        load(tmp_path / "weights.pth")
    assert not owned.exists()


def test_config_files_run_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("!!python/object/apply:os.mkdir [owned]\n")
    with pytest.raises(MafnetError, match="cannot be read as YAML"):
        read_config([])
    assert not (tmp_path / "owned").exists()


def test_fifo_or_device_as_manifest_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "manifest.csv")
    start = time.monotonic()
    for path in (tmp_path / "manifest.csv", type(tmp_path)("/dev/zero")):
        with pytest.raises(MafnetError, match="is not a file"):
            read_manifest(path)
    assert time.monotonic() - start < 5
