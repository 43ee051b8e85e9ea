"""SIGKILL at random moments of extraction, packing and training: a rerun gives the same bytes.

One moment a stage in the normal run; 20 each with: pytest -m slow tests/test_faults_kills.py -s
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from support.made_features import made_data, made_samples
from support.made_videos import AAC, H264, counting_picture, ffmpeg, tone

from mafnet.features.backbones import backbone_class
from mafnet.features.cache import Entry
from mafnet.features.extract import extractor
from mafnet.video.media import Media, write_media
from mafnet.video.probe import probe

SEED = 5
SHORT, LONG = 1, 20
VIDEOS = 12
SETTINGS = {
    "video": {"clips": 3},
    "features": {"backbone": "vggish", "weights": "random"},
}
TRAINING = {"learning_rate": 1e-2, "batch_size": 8, "max_epochs": 20, "patience": 20}


@dataclass(frozen=True)
class Stage:
    """A verb that can be killed.

    command: its arguments for a folder to work in. begun: the pattern of a file that shows that
    the work has begun. lasting: the pattern of files that, once there, are never made again.
    """

    command: Callable[[Path], list[str]]
    begun: str
    lasting: str = ""


def in_cache(home: Path, work: Path, table: Path, *verb: str) -> list[str]:
    """Arguments that `extract` and `pack` share."""
    return [
        *verb, "--media", str(table), "--root", str(home / "videos"),
        "--weights", str(home / "audio.safetensors"), "--cache", str(work / "cache"),
        "--settings", json.dumps(SETTINGS), "--device", "cpu",
    ]  # fmt: skip


def extraction(home: Path) -> Stage:
    """Sound of real files through VGGish."""
    (home / "videos").mkdir(parents=True)
    for number in range(VIDEOS):
        sound = tone(3, 200 + 50 * number)
        ffmpeg(*counting_picture(1, 5), *sound, *H264, *AAC, home / "videos" / f"{number}.mp4")
    weights = backbone_class("vggish").random_weights(0)
    tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, home / "audio.safetensors")
    table = home / "media.tsv"
    write_media([probe(path, path.name) for path in (home / "videos").iterdir()], table)

    def command(work: Path) -> list[str]:
        return [*in_cache(home, work, table, "extract"), "--output", str(work / "report.tsv")]

    return Stage(command, "cache/writing/*", "cache/vggish/*/*/*")


def packing(home: Path) -> Stage:
    """A cache of made-up features, the same for every run."""
    home.mkdir()
    (home / "audio.safetensors").write_bytes(b"never read as weights")
    cache = extractor(home, home / "audio.safetensors", home / "cache", SETTINGS, 1, "cpu").cache
    generator = np.random.default_rng(SEED)
    rows = [Media(f"{number}.mp4", f"{number:064x}") for number in range(20 * VIDEOS)]
    for row in rows:
        clips = generator.integers(0, 9, (3, *cache_shape())).astype(np.float16)
        cache.write(row.sha256, Entry(clips))
    write_media(rows, home / "media.tsv")

    def command(work: Path) -> list[str]:
        arguments = in_cache(home, home, home / "media.tsv", "pack")
        return [*arguments, "--output", str(work / "audio.h5")]

    return Stage(command, ".audio.h5.tmp")


def cache_shape() -> tuple[int, ...]:
    """The shape of VGGish's maps."""
    return (12, 8, 512)


def training(home: Path) -> Stage:
    """A small MAFnet, saved after every epoch."""
    samples = made_samples({"train": 6, "val": 2, "test": 2})
    data = made_data(home, samples, ("visual", "audio"))
    chosen = {"variant": "tried", "network": "mafnet", "options": {"hidden": 8}}
    features = [part for file in data.files.values() for part in ("--features", str(file.path))]

    def command(work: Path) -> list[str]:
        return [
            "train", "--manifest", str(data.manifest), *features, "--seed", "1",
            "--settings", json.dumps(chosen | {"training": TRAINING}), "--save-seconds", "0",
            "--output", str(work / "run"), "--device", "cpu",
        ]  # fmt: skip

    return Stage(command, "run/*")


STAGES = {"extraction": extraction, "packing": packing, "training": training}


class Harness:
    """Runs a stage undisturbed once, then kills and reruns it in folders of its own."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        work = self._new("undisturbed")
        process = self._start(work)
        begun = self._wait_for_work(process, work)
        assert process.wait(300) == 0
        self.seconds = time.monotonic() - begun
        self.expected = contents(work)

    def kill_and_rerun(self, number: int, moment: float) -> tuple[bool, int]:
        """Whether the kill came in time, and how many lasting files were done by then."""
        work = self._new(f"killed{number}")
        process = self._start(work)
        begun = self._wait_for_work(process, work)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment * self.seconds)
            # The machine is quicker now than it was for the undisturbed run.
            self.seconds = min(self.seconds, time.monotonic() - begun)
        process.kill()
        in_time = process.wait(60) == -signal.SIGKILL
        done = lasting(work, self.stage.lasting)
        assert self._start(work).wait(300) == 0
        after = lasting(work, self.stage.lasting)
        assert done.items() <= after.items(), "what was done was done again"
        assert contents(work) == self.expected
        return in_time, len(done)

    def _new(self, name: str) -> Path:
        work = self.folder / name
        work.mkdir()
        return work

    def _start(self, work: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "mafnet", *self.stage.command(work)]
        root = Path(__file__).parents[1]
        with (work.with_suffix(".log")).open("ab") as log:
            return subprocess.Popen(command, cwd=root, stdout=log, stderr=log)

    def _wait_for_work(self, process: subprocess.Popen, work: Path) -> float:
        while process.poll() is None and not any(work.glob(self.stage.begun)):
            time.sleep(0.001)
        return time.monotonic()


def contents(work: Path) -> dict[str, bytes]:
    """Every file that a run left, leftovers included."""
    files = (path for path in work.rglob("*") if path.is_file())
    return {str(path.relative_to(work)): path.read_bytes() for path in files}


def lasting(work: Path, pattern: str) -> dict[str, tuple[int, int]]:
    """Which file each name is, and since when."""
    paths = work.glob(pattern) if pattern else ()
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def kill(name: str, folder: Path, times: int) -> list[int]:
    """Kill a stage so many times in mid-work, at moments drawn by its own seed.

    Returns how many lasting files were done at each kill. One that came too late is checked, but
    not counted; every stage is killed at most three times as often as asked.
    """
    moments = random.Random(f"{SEED} {name}")
    harness = Harness(STAGES[name](folder / "home"), folder)
    counted: list[int] = []
    for number in range(3 * times):
        in_time, done = harness.kill_and_rerun(number, moments.random())
        counted += [done] * in_time
        if len(counted) == times:
            break
    return counted


@pytest.mark.parametrize("name", STAGES)
def test_a_kill_changes_nothing(name, tmp_path):
    assert len(kill(name, tmp_path, SHORT)) == SHORT


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_twenty_kills_change_nothing(name, tmp_path, capsys):
    done = kill(name, tmp_path, LONG)
    with capsys.disabled():
        print(f"\n{name}: {len(done)} kills in mid-work, files done by then: {done}")  # noqa: T201
    assert len(done) == LONG
