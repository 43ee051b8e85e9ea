"""SIGKILL at random moments of extraction, packing and training: a rerun gives the same bytes.

The normal run tests one kill for each stage. This command tests 20 kills for each:

    pytest -m slow tests/test_faults_kills.py -s
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
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone

from mafnet.features.backbones import frozen_network
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
    """A command of mafnet that can be killed.

    command: its arguments for a working folder.
    begun: pattern of a file that shows that the work has begun.
    lasting: pattern of files that are complete when they exist, and are never written again.
    """

    command: Callable[[Path], list[str]]
    begun: str
    lasting: str = ""


def in_cache(home: Path, work: Path, table: Path, *verb: str) -> list[str]:
    """Arguments of both `extract` and `pack`."""
    return [
        *verb, "--media", str(table), "--root", str(home / "videos"),
        "--weights", str(home / "audio.safetensors"), "--cache", str(work / "cache"),
        "--settings", json.dumps(SETTINGS), "--device", "cpu",
    ]  # fmt: skip


def extraction(home: Path) -> Stage:
    """Extraction of audio features by VGGish from real files."""
    (home / "videos").mkdir(parents=True)
    for number in range(VIDEOS):
        audio = tone(3, 200 + 50 * number)
        ffmpeg(*counting_frames(1, 5), *audio, *H264, *AAC, home / "videos" / f"{number}.mp4")
    weights = frozen_network("vggish").random_weights(0)
    tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, home / "audio.safetensors")
    table = home / "media.tsv"
    write_media([probe(path, path.name) for path in (home / "videos").iterdir()], table)

    def command(work: Path) -> list[str]:
        return [*in_cache(home, work, table, "extract"), "--output", str(work / "report.tsv")]

    return Stage(command, "cache/writing/*", "cache/vggish/*/*/*")


def packing(home: Path) -> Stage:
    """Packing of random features from a cache, the same for every run."""
    home.mkdir()
    (home / "audio.safetensors").write_bytes(b"only its digest is used")
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

    return Stage(command, ".*.tmp")


def cache_shape() -> tuple[int, ...]:
    """The shape of VGGish's maps."""
    return (12, 8, 512)


def training(home: Path) -> Stage:
    """Training of a small MAFnet that is saved after every epoch."""
    samples = made_samples({"train": 6, "val": 2, "test": 2})
    data = made_data(home, samples, ("visual", "audio"))
    chosen = {"variant": "small", "network": "mafnet", "options": {"hidden": 8}}
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
    """Runs a stage once without a kill, then kills and reruns it in separate folders."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        work = self._new_folder("complete")
        process = self._start(work)
        begun = self._wait_for_work(process, work)
        assert process.wait(300) == 0
        self.seconds = time.monotonic() - begun
        self.expected = contents(work)

    def kill_and_rerun(self, number: int, moment: float) -> tuple[bool, int]:
        """Kill at `moment` (0 to 1 of the run time) and rerun.

        Returns whether the command was still running, and the number of lasting files by then.
        """
        work = self._new_folder(f"killed{number}")
        process = self._start(work)
        begun = self._wait_for_work(process, work)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment * self.seconds)
            # The command ended before the kill: the machine is faster now than in the first run.
            self.seconds = min(self.seconds, time.monotonic() - begun)
        process.kill()
        in_time = process.wait(60) == -signal.SIGKILL
        done = lasting(work, self.stage.lasting)
        assert self._start(work).wait(300) == 0
        after = lasting(work, self.stage.lasting)
        assert done.items() <= after.items(), "a finished file was written again"
        assert contents(work) == self.expected
        return in_time, len(done)

    def _new_folder(self, name: str) -> Path:
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
    """All files in the folder, including temporary ones."""
    files = (path for path in work.rglob("*") if path.is_file())
    return {str(path.relative_to(work)): path.read_bytes() for path in files}


def lasting(work: Path, pattern: str) -> dict[str, tuple[int, int]]:
    """Inode and modification time of each file that matches the pattern."""
    paths = work.glob(pattern) if pattern else ()
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def kill(name: str, folder: Path, times: int) -> list[int]:
    """Kill a stage `times` times while it works, at random moments with a fixed seed.

    Returns the number of lasting files at each kill. A kill that is too late is checked but not
    counted, so there are up to three times as many attempts, and some more on a busy machine.
    """
    moments = random.Random(f"{SEED} {name}")
    harness = Harness(STAGES[name](folder / "home"), folder)
    counted: list[int] = []
    for number in range(3 * times + 7):
        in_time, done = harness.kill_and_rerun(number, moments.random())
        counted += [done] * in_time
        if len(counted) == times:
            break
    return counted


@pytest.mark.parametrize("name", STAGES)
def test_one_kill_does_not_change_the_output(name, tmp_path):
    assert len(kill(name, tmp_path, SHORT)) == SHORT


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_twenty_kills_do_not_change_the_output(name, tmp_path, capsys):
    done = kill(name, tmp_path, LONG)
    with capsys.disabled():
        print(f"\n{name}: {len(done)} kills during the work, finished files at each: {done}")  # noqa: T201
    assert len(done) == LONG
