"""Faults of the machine while a video is read: they are never kept as the truth about the video."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import save_file
from support.made_videos import AAC, H264, counting_frames, ffmpeg

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.features.backbones import frozen_network
from mafnet.features.extract import extractor
from mafnet.video.media import read_media
from mafnet.video.probe import probe

SECONDS = 10
SETTINGS = {
    "video": {"clips": SECONDS},
    "features": {"backbone": "vggish", "weights": "random", "backend": "torch"},
}
CLIP_BYTES = 32_000
SIGNALS = ("SIGTERM", "SIGINT", "SIGXCPU", "SIGKILL")
VIDEO = "a.mp4"
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace injects EIO")
EIO = pytest.param("EIO", marks=needs_strace)

FFMPEG = """#!{python}
# The real ffmpeg, disturbed after about six of ten seconds of audio; only once if so asked.
import fcntl, os, signal, subprocess, sys
command = [{real!r}, *sys.argv[1:]]
if {video!r} not in " ".join(command):
    os.execv(command[0], command)
try:
    os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
except FileExistsError:
    if {once}:
        os.execv(command[0], command)
if {fault!r} == "EIO":
    inject = ("-e", "trace=read", "-e", "inject=read:error=EIO:when=4")
    quiet = ("-f", "-qq", "-o", "/dev/null")
    os.execvp("strace", ["strace", *quiet, "-P", {video!r}, *inject, *command])
process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
if hasattr(fcntl, "F_SETPIPE_SZ"):
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
left = 6 * {clip_bytes}
while chunk := process.stdout.read(4096):
    os.write(1, chunk)
    if 0 < left <= len(chunk):
        process.send_signal(signal.{number})
    left -= len(chunk)
status = process.wait()
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Videos `a.mp4` (sound) and `b.mp4` (half a file), weights, and the undisturbed cache."""
    home = tmp_path_factory.mktemp("home")
    for seed, name in enumerate(("a.mp4", "b.mp4")):
        noise = ("-f", "lavfi", "-i", f"anoisesrc=d={SECONDS}:r=44100:a=0.1:seed={seed}")
        video = (*counting_frames(SECONDS, 5), *noise, *H264, *AAC, "-b:a", "128k")
        ffmpeg(*video, "-movflags", "+faststart", home / name)
    content = (home / "b.mp4").read_bytes()
    (home / "b.mp4").write_bytes(content[: len(content) // 2])
    weights = frozen_network("vggish").random_weights(0)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, home / "weights")
    assert [row.clips for row in extract(home, home / "cache")] == [SECONDS, SECONDS // 2]
    return home


def extract(home: Path, cache: Path):
    """The rows of an extraction of both videos."""
    media = [probe(home / name, name) for name in ("a.mp4", "b.mp4")]
    return extractor(home, home / "weights", cache, SETTINGS, 1, "cpu").extract(media)


def entries(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.glob("vggish/*/*/*.clips")}


@pytest.fixture
def disturb(home, tmp_path, monkeypatch):
    """Puts an ffmpeg on the PATH that a fault disturbs: `disturb(fault, once=...)`."""
    real = ffmpeg_path()

    def put(fault: str, once: bool) -> None:
        script = tmp_path / "bin/ffmpeg"
        script.parent.mkdir()
        names = {"real": real, "marker": str(tmp_path / "marker"), "video": str(home / "a.mp4")}
        number = "SIGTERM" if fault == "EIO" else fault
        values = {"fault": fault, "once": once, "number": number, "clip_bytes": CLIP_BYTES}
        script.write_text(FFMPEG.format(python=sys.executable, **names, **values))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
        ffmpeg_path.cache_clear()

    yield put
    ffmpeg_path.cache_clear()


@pytest.mark.parametrize("fault", [*SIGNALS, EIO])
def test_passing_fault_does_not_change_the_entries(home, tmp_path, disturb, fault, caplog):
    disturb(fault, once=True)
    caplog.set_level("WARNING")
    rows = extract(home, tmp_path / "cache")
    assert "audio: trying 1 videos again" in caplog.text
    assert [row.clips for row in rows] == [SECONDS, SECONDS // 2]
    assert entries(tmp_path / "cache") == entries(home / "cache")


@pytest.mark.parametrize("fault", SIGNALS)
def test_lasting_fault_ends_the_command_which_tries_again(
    home, tmp_path, disturb, fault, monkeypatch
):
    disturb(fault, once=False)
    expected = r"^a\.mp4: decoding was interrupted twice .*run the same command again"
    with pytest.raises(MafnetError, match=expected):
        extract(home, tmp_path / "cache")
    whole = entries(home / "cache")
    found = entries(tmp_path / "cache")
    assert len(found) == 1, "the other video, which ends before the signal, is kept"
    assert found.items() < whole.items()
    (tmp_path / "bin/ffmpeg").unlink()
    ffmpeg_path.cache_clear()
    extract(home, tmp_path / "cache")
    assert entries(tmp_path / "cache") == whole


@needs_strace
@pytest.mark.parametrize(
    ("inject", "expected"),
    [
        ("error=EIO:when=1", ""),  # sha256
        ("error=EIO:when=6", ""),  # packets
        ("error=EIO", "reading was interrupted twice"),
        ("signal=SIGKILL:when=1", "reading was interrupted twice"),
    ],
)
def test_probing_keeps_no_fault_of_the_machine(home, tmp_path, inject, expected):
    manifest, output = tmp_path / "manifest.csv", tmp_path / "media.tsv"
    manifest.write_text(f"sample,video,label,subset\na,{VIDEO},hum,train\n")
    command = [sys.executable, "-m", "mafnet", "probe", "--manifest", manifest, "--root", home,
               "--output", output]  # fmt: skip
    trace = tmp_path / "trace"
    faults = ("-e", "trace=read", "-e", f"inject=read:{inject}", "-P", home / VIDEO)
    strace = ["strace", "-f", "-qq", "-o", trace, *faults]
    done = subprocess.run([*strace, *command], capture_output=True, text=True)
    assert "INJECTED" in trace.read_text() or "SIGKILL" in trace.read_text()
    assert (done.returncode, output.exists()) == ((1, False) if expected else (0, True))
    assert expected in done.stderr.splitlines()[-1] if expected else not done.stderr
    if not expected:
        assert read_media(output) == [probe(home / VIDEO, VIDEO, home)]
