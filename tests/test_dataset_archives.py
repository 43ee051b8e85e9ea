"""Untrusted archives: nothing is written outside the target, and no file stays half-written."""

import gzip
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from support import miniatures

from mafnet.common.errors import MafnetError
from mafnet.dataset.archives.external import PROGRAMS, parse_listing
from mafnet.dataset.archives.unpack import Limits, unpack

FILES = {"a/x.mp4": b"x" * 3000, "a/-y.mp4": b"y" * 10, "a/notes.md": b"no"}


def is_video(path):
    return path.endswith(".mp4")


def written(folder):
    """Paths and contents of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(path, files):
    """An archive of the kind that the suffix of the name states."""
    if path.suffix == ".zip":
        return miniatures.write_zip(path, files)
    return miniatures.write_tar(path, files)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_only_wanted_files_are_written(name, tmp_path):
    archive = write(tmp_path / name, FILES)
    members = unpack(archive, tmp_path / "to", is_video)
    assert [member.name for member in members] == ["a/x.mp4", "a/-y.mp4"]
    assert written(tmp_path / "to") == {path: FILES[path] for path in ("a/x.mp4", "a/-y.mp4")}


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize(
    "name", ["../out.mp4", "/tmp/mafnet-out.mp4", "a/../../out.mp4", "..\\out.mp4", "C:\\out.mp4"]
)
def test_path_outside_the_target_is_refused(kind, name, tmp_path):
    archive = write(tmp_path / kind, {name: b"evil"})
    with pytest.raises(MafnetError, match="outside of the target"):
        unpack(archive, tmp_path / "deep/to", is_video)
    assert [path.name for path in tmp_path.rglob("*.mp4")] == []
    assert not Path("/tmp/mafnet-out.mp4").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    member = tarfile.TarInfo("a/x.mp4")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(member)
    with pytest.raises(MafnetError, match=r"'a/x\.mp4' is a link or device"):
        unpack(tmp_path / "a.tar", tmp_path / "to", is_video)
    assert not os.path.lexists(tmp_path / "to/a/x.mp4")


def test_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("x.mp4")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(MafnetError, match="is a link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "to", is_video)


@pytest.mark.parametrize("limits", [Limits(members=2), Limits(total_bytes=3005)])
def test_more_than_the_limits_is_refused(limits, tmp_path):
    archive = miniatures.write_zip(tmp_path / "a.zip", FILES | {"b.mp4": b"b"})
    with pytest.raises(MafnetError, match="contains more than"):
        unpack(archive, tmp_path / "to", is_video, limits)


@pytest.mark.parametrize("limits", [Limits(members=2), Limits(total_bytes=3005)])
def test_entries_that_are_not_needed_count_too(limits, tmp_path):
    archive = miniatures.write_zip(tmp_path / "a.zip", FILES | {"b.mp4": b"b"})
    with pytest.raises(MafnetError, match="contains more than"):
        unpack(archive, tmp_path / "to", lambda name: False, limits)


def test_entry_with_more_bytes_than_announced_is_not_kept(tmp_path):
    archive = miniatures.write_zip(tmp_path / "a.zip", {"x.mp4": b"\0" * 100_000})
    content = archive.read_bytes()
    announced = (100_000).to_bytes(4, "little")
    assert content.count(announced) == 2  # in the entry's header and in the directory
    archive.write_bytes(content.replace(announced, (10).to_bytes(4, "little")))
    with pytest.raises(MafnetError, match="damaged"):
        unpack(archive, tmp_path / "to", is_video)
    assert written(tmp_path / "to") == {}


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_truncated_archive_leaves_only_complete_files(name, tmp_path):
    files = {f"{number}.mp4": os.urandom(50_000) for number in range(4)}
    archive = write(tmp_path / name, files)
    archive.write_bytes(archive.read_bytes()[:120_000])
    with pytest.raises(MafnetError, match=r"damaged or of an unknown format .* download it again"):
        unpack(archive, tmp_path / "to", is_video)
    assert written(tmp_path / "to").items() <= files.items()


def test_changed_byte_is_detected(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        file.writestr("x.mp4", b"content" * 100)
    content = bytearray(archive.read_bytes())
    content[200] ^= 1
    archive.write_bytes(content)
    with pytest.raises(MafnetError, match="damaged"):
        unpack(archive, tmp_path / "to", is_video)


def test_text_named_zip_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.zip").write_text("<html>quota exceeded</html>")
    with pytest.raises(MafnetError, match=r"a\.zip"):
        unpack(tmp_path / "a.zip", tmp_path / "to", is_video)


def test_full_target_is_one_line(tmp_path):
    archive = miniatures.write_zip(tmp_path / "a.zip", FILES)
    (tmp_path / "to").write_text("a file where the folder should be")
    with pytest.raises(MafnetError, match=r"/to/a: cannot be .*Not a directory"):
        unpack(archive, tmp_path / "to", is_video)


def test_existing_files_are_not_written_again(tmp_path):
    archive = miniatures.write_zip(tmp_path / "a.zip", FILES)
    unpack(archive, tmp_path / "to", is_video)
    before = (tmp_path / "to/a/x.mp4").stat()
    (tmp_path / "to/a/-y.mp4").write_bytes(b"half")
    unpack(archive, tmp_path / "to", is_video)
    assert (tmp_path / "to/a/x.mp4").stat().st_mtime_ns == before.st_mtime_ns
    assert (tmp_path / "to/a/-y.mp4").read_bytes() == FILES["a/-y.mp4"]


def test_killed_unpacking_resumes(tmp_path):
    files = {f"AVE/{number}.mp4": os.urandom(1_000_000) for number in range(60)}
    archive = tmp_path / "AVE_Dataset.zip"
    miniatures.write_zip(archive, files)
    listing, target = tmp_path / "unpacked.tsv", tmp_path / "to"
    command = [
        *(sys.executable, "-m", "mafnet", "unpack", "--source", "ave", "--archive", str(archive)),
        *("--folder", str(target), "--output", str(listing)),
    ]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(list(target.glob("AVE/*.mp4"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not listing.exists()
    done = {path: content for path, content in written(target).items() if "/." not in path}
    assert 3 <= len(done) < len(files)
    assert done.items() <= files.items()
    assert subprocess.run(command).returncode == 0
    assert {path: data for path, data in written(target).items() if "AVE/" in path} == files
    assert len(listing.read_text().splitlines()) == 61


@pytest.mark.skipif(not shutil.which("bsdtar"), reason="no bsdtar on the PATH")
def test_rar_by_bsdtar(tmp_path):
    archive = miniatures.write_rar(tmp_path / "a.rar", FILES)
    unpack(archive, tmp_path / "to", is_video)
    assert written(tmp_path / "to") == {path: FILES[path] for path in ("a/x.mp4", "a/-y.mp4")}


@pytest.mark.skipif(not shutil.which("bsdtar"), reason="no bsdtar on the PATH")
def test_truncated_rar_is_detected(tmp_path):
    archive = miniatures.write_rar(tmp_path / "a.rar", FILES)
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(MafnetError, match="damaged or of an unknown format"):
        unpack(archive, tmp_path / "to", is_video)


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name.startswith("7")])
def test_seven_zip_lists_and_gives_contents(program, tmp_path, monkeypatch):
    found = shutil.which(program)
    if not found or subprocess.run([found], capture_output=True).returncode:
        pytest.skip(f"no {program} on the PATH")
    miniatures.write_files(tmp_path / "from", FILES)
    archive = tmp_path / "a.7z"
    subprocess.run(
        [found, "a", archive, "a"], cwd=tmp_path / "from", check=True, capture_output=True
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    unpack(archive, tmp_path / "to", is_video)
    assert written(tmp_path / "to") == {path: FILES[path] for path in ("a/x.mp4", "a/-y.mp4")}


def test_listing_of_unrar():
    text = """
        Name: UCF-101/Archery
        Type: Directory
        Size: 0

        Name: UCF-101/Archery/v_Archery_g01_c01.avi
        Type: File
        Size: 295936
 Packed size: 290000
       CRC32: 9C4A00FF

        Name: UCF-101/link.avi
        Type: Unix symbolic link
        Size: 5
"""
    file, link = parse_listing(text)
    assert (file.name, file.size, file.crc32, file.regular) == (
        "UCF-101/Archery/v_Archery_g01_c01.avi", 295936, 0x9C4A00FF, True,
    )  # fmt: skip
    assert not link.regular


def test_tar_checksum_at_the_end_is_read(tmp_path):
    archive = miniatures.write_tar(tmp_path / "a.tar.gz", FILES)
    plain = gzip.decompress(archive.read_bytes())
    broken = bytearray(gzip.compress(plain))
    broken[-8] ^= 1  # the stream's CRC
    archive.write_bytes(broken)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert len(tar.getnames()) == 3
    with pytest.raises(MafnetError, match="damaged"):
        unpack(archive, tmp_path / "to", is_video)
