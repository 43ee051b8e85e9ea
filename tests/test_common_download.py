"""Downloads that break, return wrong bytes or are missing."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mafnet.common.download import MIRROR, obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of


def address_of(path):
    return path.resolve().as_uri()


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "elsewhere" / "file.bin"
    file.parent.mkdir()
    file.write_bytes(np.random.default_rng(0).bytes(3_000_000))
    return file


class Server(ThreadingHTTPServer):
    """Serves one file; the first `cuts` answers end early; `ranges`: it can resume."""

    def __init__(self, content, cuts=0, ranges=True, kind="application/octet-stream"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cuts, self.ranges, self.kind = content, cuts, ranges, kind
        self.asked = []
        self.address = f"http://127.0.0.1:{self.server_port}/file.bin"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, start = self.server, 0
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if wanted and server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                return self.send_error(416)
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", server.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cuts:
            server.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)
        return None

    def log_message(self, *args):
        """Print nothing on the terminal."""


def test_a_broken_connection_is_resumed(tmp_path, source):
    with Server(source.read_bytes(), cuts=2) as server:
        path = obtain(tmp_path / "file.bin", [server.address], sha256_of(source)[:8])
    assert path.read_bytes() == source.read_bytes()
    assert server.asked == [None, "bytes=1500000-", "bytes=2250000-"]


def test_a_later_run_resumes_where_an_earlier_one_stopped(tmp_path, source):
    path = tmp_path / "file.bin"
    with (
        Server(source.read_bytes(), cuts=9) as server,
        pytest.raises(MafnetError, match="connection was lost"),
    ):
        obtain(path, [server.address], sha256_of(source))
    got = (tmp_path / "file.bin.part").stat().st_size
    with Server(source.read_bytes()) as server:
        obtain(path, [server.address], sha256_of(source))
    assert server.asked == [f"bytes={got}-"]
    assert got > 0
    assert path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("ranges", [True, False])
def test_the_beginning_of_another_file_is_discarded(tmp_path, source, ranges):
    (tmp_path / "file.bin.part").write_bytes(b"something else")
    with Server(source.read_bytes(), ranges=ranges) as server:
        path = obtain(tmp_path / "file.bin", [server.address], sha256_of(source))
    assert path.read_bytes() == source.read_bytes()
    assert server.asked[0] == "bytes=14-"
    assert server.asked[1:] == ([None] if ranges else [])


def test_a_web_page_is_not_accepted_as_the_file(tmp_path):
    page = Server(b"<html>sign in first</html>", kind="text/html; charset=utf-8")
    with page as server, pytest.raises(MafnetError, match="web page"):
        obtain(tmp_path / "file.bin", [server.address])
    assert list(tmp_path.iterdir()) == []


def test_the_first_address_with_the_right_bytes_is_used(tmp_path, source):
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(b"other bytes")
    addresses = [
        "file:///nowhere/file.bin", "no address", address_of(wrong), address_of(source),
    ]  # fmt: skip
    path = obtain(tmp_path / "file.bin", addresses, sha256_of(source)[:10])
    assert path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("as_address", [False, True])
def test_the_mirror_is_tried_first(tmp_path, source, monkeypatch, as_address):
    monkeypatch.setenv(MIRROR, address_of(source.parent) if as_address else str(source.parent))
    path = obtain(tmp_path / "file.bin", ["file:///nowhere"], sha256_of(source))
    assert path.read_bytes() == source.read_bytes()


def test_if_all_addresses_fail_the_error_says_what_to_do(tmp_path):
    with pytest.raises(MafnetError) as caught:
        obtain(tmp_path / "file.bin", ["file:///nowhere/a", "file:///nowhere/b"], "abcd")
    text = str(caught.value)
    assert "\n" not in text
    for part in (
        str(tmp_path / "file.bin"),
        "nowhere/a",
        "nowhere/b",
        "put it there",
        "abcd",
        MIRROR,
    ):
        assert part in text


def test_an_existing_wrong_file_is_not_changed(tmp_path, source):
    path = tmp_path / "file.bin"
    path.write_bytes(b"somebody's own")
    with pytest.raises(MafnetError, match="does not overwrite it"):
        obtain(path, [address_of(source)], sha256_of(source))
    assert path.read_bytes() == b"somebody's own"


def test_of_a_published_beginning_the_whole_digest_is_recorded_and_checked_later(tmp_path, source):
    whole = sha256_of(source)
    path = obtain(tmp_path / "file.bin", [address_of(source)], whole[:8])
    record = tmp_path / "file.bin.sha256"
    assert record.read_text() == f"{whole}  file.bin\n"
    obtain(path, [address_of(source)], whole[:8])
    record.write_text(f"{whole[:8]}{'0' * 56}  file.bin\n")
    with pytest.raises(MafnetError, match=f"sha256 is {whole[:16]}..., not {whole[:8]}000"):
        obtain(path, [address_of(source)], whole[:8])
    record.write_text(f"{'0' * 64}  file.bin\n")
    with pytest.raises(MafnetError, match=r"another sha256 than .* published; delete it"):
        obtain(path, [address_of(source)], whole[:8])


def test_an_unpublished_digest_is_recorded_and_checked_later(tmp_path, source):
    path = obtain(tmp_path / "file.bin", [address_of(source)])
    record = (tmp_path / "file.bin.sha256").read_text()
    assert record == f"{sha256_of(source)}  file.bin\n"
    path.unlink()
    source.write_bytes(b"replaced behind our back")
    with pytest.raises(MafnetError, match="sha256 is"):
        obtain(path, [address_of(source)])
    path.write_bytes(b"damaged")
    with pytest.raises(MafnetError, match="does not overwrite it"):
        obtain(path, [address_of(source)])
