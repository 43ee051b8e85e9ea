"""The wheel in an empty environment, with its dependencies from the package registry.

In an empty folder, the commands for people lead from a folder of videos to predictions.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.made_videos import AAC, H264, ffmpeg, tone

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.registry, pytest.mark.workflow]

SMALL = {
    "features": {"visual": {"weights": "random"}, "audio": {"weights": "random"},
                 "random": {"calibration_videos": 2}},
    "model": {"seeds": [0], "network": {"hidden": 16}, "training": {"max_epochs": 5}},
}  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The command `mafnet` of an environment that has nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    run(folder, sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation",
        "--no-index", "--wheel-dir", folder, ROOT)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    run(folder, sys.executable, "-m", "venv", folder / "environment")
    bin_folder = folder / "environment/bin"
    run(folder, bin_folder / "python", "-m", "pip", "install", f"{wheel}[workflow]")
    return bin_folder / "mafnet"


def run(folder, *command):
    """Standard output of a command that must succeed, without the variables of this environment."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_a_folder_of_videos_to_predictions(program, tmp_path):
    for number in range(10):
        path = tmp_path / f"videos/{('car', 'dog')[number % 2]}/{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = ("-f", "lavfi", "-i", f"color=s={64 + 2 * number}x48:r=10:d=1")
        ffmpeg(*picture, *tone(1, 300 + 10 * number), *H264, *AAC, path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({"datasets": {"mine": SMALL}}))
    assert "predict" in run(tmp_path, program, "--help")
    assert "mafnet run mine" in run(tmp_path, program, "new", "mine", "videos")
    run(tmp_path, program, "run", "mine", "--configfile", "small.yaml")
    assert (tmp_path / "results/mine/summary.html").stat().st_size
    model = ("--model", "results/mine/main/mafnet/seed0")
    found = json.loads(run(tmp_path, program, "predict", "videos", *model, "--json"))
    assert {each["status"] for each in found["videos"]} == {"ok"}
    weights = tmp_path / "results/mine/weights"
    run(tmp_path, program, "features", "videos", "--output", "features.npz", "--clips", 1,
        "--visual", f"efficientnet_lite0:{weights}/visual.safetensors",
        "--audio", f"yamnet:{weights}/audio.safetensors")  # fmt: skip
    with np.load(tmp_path / "features.npz") as file:
        assert file["visual"].shape == (10, 1, 1280)
        assert file["audio"].shape == (10, 1, 1024)
