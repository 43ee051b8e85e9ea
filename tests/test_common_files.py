"""Files that several processes write, and what killed writers leave behind."""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from support.seals import seal_of

from mafnet.common.files import read_json, replacing, require_unchanged, write_json
from mafnet.common.temporary import FOREIGN_SECONDS, sweep

WRITER = """
import sys
from pathlib import Path
from mafnet.common.files import replacing
for _ in range(300):
    with replacing(Path(sys.argv[1])) as beside, beside.open("w") as file:
        for _ in range(20):
            file.write(sys.argv[2] * 5_000)
            file.flush()
"""
TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def ended():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_two_writers_of_one_file_leave_a_whole_file(tmp_path):
    path = tmp_path / "file"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == {"a" * 100_000, "b" * 100_000}
    assert list(tmp_path.iterdir()) == [path]


def test_file_with_the_longest_name_can_be_written(tmp_path):
    with replacing(tmp_path / ("n" * 255)) as beside:
        beside.write_text("text")
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 255]


def test_first_write_into_a_folder_removes_what_a_killed_process_left(tmp_path, ended):
    left = tmp_path / f".{socket.gethostname()}-{ended}-{TOKEN}.tmp"
    left.write_text("half")
    with replacing(tmp_path / "file") as beside:
        beside.write_text("text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_sweep_removes_only_files_whose_process_has_ended(tmp_path, ended):
    host, old = socket.gethostname(), f"elsewhere-7-{TOKEN}"
    removed = [f"{host}-{ended}-{TOKEN}", f".{host}-{ended}-{TOKEN}.tmp", old]
    kept = [f"{host}-{os.getpid()}-{TOKEN}", f"{host}-1-{TOKEN}", f"elsewhere-{ended}-{TOKEN}",
            f"{host}-7-{ended}-{TOKEN}", f"{host}-words-{TOKEN}", f"{host}-{ended}", host,
            ".file.tmp"]  # fmt: skip
    for name in removed + kept:
        (tmp_path / name).write_bytes(b"half")
    days_ago = time.time() - FOREIGN_SECONDS - 60
    os.utime(tmp_path / old, (days_ago, days_ago))
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace ends the process at a system call")
@pytest.mark.parametrize(
    ("call", "expected"),
    [("/^rename", {"old": 1}), ("openat", {"new": 2})],  # before the file is replaced, and after
)
def test_a_kill_between_a_file_and_its_seal_leaves_a_whole_file(tmp_path, call, expected):
    path = tmp_path / "file.json"
    write_json({"old": 1}, path)
    script = f"""
import os
from pathlib import Path
from mafnet.common.files import write_json
write_json({{"new": 2}}, Path({str(path)!r}))
"""
    kill = ("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL")
    place = ("-P", seal_of(path)) if call == "openat" else ()
    strace = ["strace", "-f", "-qq", "-o", tmp_path / "trace", *kill, *place]
    done = subprocess.run([*strace, sys.executable, "-B", "-c", script])
    assert done.returncode in (-9, 137)
    (tmp_path / "trace").unlink()
    assert not seal_of(path).exists()
    assert read_json(path) == expected  # a file without a seal is used: it was written whole
    write_json({"again": 3}, path)
    assert require_unchanged(path)
