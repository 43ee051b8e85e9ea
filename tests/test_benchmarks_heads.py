"""The commands that train on features of a file run, and say what they measured."""

import csv
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.head_search import chosen_hits, late_hits

ROOT = Path(__file__).resolve().parents[1]
CLASSES, CLIPS = 3, 2


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Features, a manifest and a table of sources: 3 classes of 3 pictures and 3 sounds each."""
    folder = tmp_path_factory.mktemp("features")
    generator = np.random.default_rng(0)
    rows, sources, visual, audio = [], [], [], []
    for label, picture, sound in itertools.product(range(CLASSES), range(4), range(4)):
        name = f"v{label}{picture}{sound}"
        subset = ("train", "train", "val", "test")[picture]
        rows.append(
            {"sample": name, "video": f"{name}.mp4", "label": f"c{label}", "subset": subset}
        )
        sources.append(
            {"sample": name, "picture_source": f"p{label}{picture}",
             "sound_source": f"s{label}{sound}"}
        )  # fmt: skip
        for features, shape in ((visual, (CLIPS, 6)), (audio, (CLIPS, 2, 2, 4))):
            values = generator.random(shape)
            values[..., label] += 1
            features.append(values)
    np.savez(
        folder / "features.npz", videos=[row["video"] for row in rows],
        visual=np.float16(visual), audio=np.float16(audio),
        valid=np.ones((len(rows), CLIPS, 2), bool),
    )  # fmt: skip
    for name, table in (("manifest", rows), ("groups", sources)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)
    return folder


def output(module, *arguments):
    """The table that a benchmark prints: its rows as cells."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]


def test_studies_on_features_compare_with_the_main_variant(files, tmp_path):
    given = (files / "features.npz", files / "manifest.csv", "--groups", files / "groups.csv")
    chosen = ("mafnet", "late_fusion", "logistic_regression", "i3d")
    options = ("--runs", tmp_path, "--hidden", 4, "--seeds", 1, "--only", *chosen)
    rows = output("feature_studies", *given, *options)
    assert [row[1] for row in rows] == [f"`{name}`" for name in chosen[:-1]]  # no video network
    assert all("[" in row[-1] for row in rows[1:])
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("hits.npz")}
    assert output("feature_studies", *given, *options) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("hits.npz")} == kept
    output("feature_studies", *given, *options, "--hidden", 3, "--only", "mafnet")
    assert len(list(tmp_path.rglob("hits.npz"))) == len(kept) + 1  # no stale run of the old size


@pytest.mark.slow
def test_settings_of_training_are_measured_at_each_size(files):
    """24 training videos are there, so 30 are made of them."""
    rows = output("defaults", files / "features.npz", files / "manifest.csv",
                  "--sizes", 6, 30, "--seeds", 1)  # fmt: skip
    assert len(rows) == 6
    assert all(0 <= float(value) <= 100 for row in rows for value in row[1:])


@pytest.mark.slow
def test_heads_are_compared_on_held_out_sources(files, tmp_path):
    given = [files / f"{name}" for name in ("features.npz", "manifest.csv", "groups.csv")]
    names = ("mafnet_plus", "one network", "a transformer layer", "mixup 0.4")
    rows = output("head_search", *given, "--cache", tmp_path, "--splits", 2, "--seeds", 1,
                  "--sizes", 12, "--only", *names)  # fmt: skip
    assert [row[0] for row in rows] == list(names)
    assert float(rows[0][1]) == 100  # a channel of each class is larger by one


def test_the_step_is_chosen_by_other_pictures():
    """Two pictures are right after unlike steps: the step that one chooses fails the other."""
    right = np.array([[True, True, False], [False, False, True]])
    assert chosen_hits(right, np.array(["a", "a", "b"])).tolist() == [0, 0, 0]
    assert late_hits(right).tolist() == [0, 0, 1]
