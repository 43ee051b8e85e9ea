"""The benchmarks run, and the plain way computes the same as mafnet; times are not tested."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import coverage
from benchmarks.inputs import Inputs
from benchmarks.markdown import markdown, write_marked
from benchmarks.measured import Measured, measure
from benchmarks.prepare import decode_first, make_features, make_video
from benchmarks.ratios import compared, relative, summary
from benchmarks.stages import PAIRS, STAGES
from mafnet.features.backbones import frozen_network
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.model.networks import build_network
from mafnet.model.networks.blocks import Features
from mafnet.report.statistics import groups

ROOT = Path(__file__).resolve().parents[1]

FLOAT32 = 1e-5
"""Relative: sums of float32 in another order, at most 25 layers deep."""


def imports(path):
    """Modules of benchmarks/ that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "benchmarks":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("benchmarks."):
            yield node.module.removeprefix("benchmarks.")


def test_no_modules_import_each_other():
    graph = {path.stem: set(imports(path)) for path in (ROOT / "benchmarks").glob("*.py")}
    order = list(TopologicalSorter(graph).static_order())  # CycleError names the cycle
    assert order.index("inputs") < order.index("stages") < order.index("bench")


def test_every_module_serves_a_command_of_the_makefile():
    folder, text = ROOT / "benchmarks", (ROOT / "Makefile").read_text()
    needed = {path.stem for path in folder.glob("*.py") if f"-m benchmarks.{path.stem} " in text}
    waiting = set(needed)
    while waiting:
        waiting = set(imports(folder / f"{waiting.pop()}.py")) - needed | waiting
        needed |= waiting
    assert needed | {"__init__"} == {path.stem for path in folder.glob("*.py")}


def test_table_is_written_between_its_comments_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu -->\nold\n<!-- /gpu -->\nafter\n")
    table = markdown(["precision", "frames/s"], [["float32", "500"]])
    for _ in range(2):
        write_marked("gpu", table, page)
        assert page.read_text() == (
            "before\n<!-- gpu -->\n| precision | frames/s |\n| --- | --- |\n| float32 | 500 |\n"
            "<!-- /gpu -->\nafter\n"
        )
    with pytest.raises(ValueError, match="has no <!-- cpu -->"):
        write_marked("cpu", table, page)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """One video of two seconds, without weights."""
    made = Inputs(tmp_path_factory.mktemp("inputs"), seconds=2, videos=1, batch=2, threads=1)
    made.root.mkdir()
    make_video(made.root / "0.mp4", 0, made.seconds)
    decode_first(made)
    return made


def test_plain_audio_features_are_ours(inputs, tmp_path):
    from safetensors.torch import save_file

    from benchmarks.plain import audio_features, audio_network

    vggish = frozen_network("vggish")
    weights = vggish.random_weights(0)
    save_file(weights, tmp_path / "weights.safetensors")
    sound = inputs.clips("audio")
    ours = TorchBackbone("vggish", weights, "cpu", "float32")(sound)
    network = audio_network(tmp_path / "weights.safetensors")
    plain = audio_features(network, sound.ravel() / np.float32(32768))
    # Our features are float16, which rounds by up to 2^-11 of a value
    assert relative(ours, plain) < 2**-11


def test_plain_head_is_ours(tmp_path):
    from benchmarks.plain_head import PlainMAFnet
    from benchmarks.ways_plain import ours_to_plain

    torch.manual_seed(0)
    ours = build_network("mafnet", classes=5, visual_features=1920, audio_features=512, options={})
    plain = PlainMAFnet(5)
    plain.load_state_dict(ours_to_plain(ours.state_dict(), plain.state_dict()))
    visual, audio = torch.rand(3, 2, 1920), torch.rand(3, 2, 12, 8, 512)
    theirs = plain(visual, audio.permute(0, 1, 4, 2, 3)).detach()
    logits = ours(Features(visual=visual, audio=audio)).logits.detach()
    assert relative(logits.numpy(), theirs.numpy()) < FLOAT32


def test_stage_without_torch_is_measured_in_separate_processes(inputs):
    stage = STAGES["decode audio"]
    costs, results = measure(stage, inputs, rounds=1)
    found = summary(stage, costs, results)
    assert list(found["ways"]) == ["plain", "ours"]
    for way in found["ways"].values():
        assert len(way["wall_s"]) == len(way["cpu_s"]) == stage.rounds
        assert min(way["wall_s"] + way["cpu_s"]) > 0
        assert way["peak_mb"] > 10  # an interpreter with numpy has more
    # Both use the resampler of ffmpeg, but round at different steps
    assert found["ways"]["ours"]["difference"] < 1e-4


def test_made_up_features_are_written_for_both_ways(inputs):
    from benchmarks.ways_ours import read
    from benchmarks.ways_plain import read as plain_read

    inputs.made.mkdir()
    for modality in ("visual", "audio"):  # only the digest of the weights matters here
        inputs.weights(modality).write_bytes(b"weights")
    make_features(inputs)
    ours, plain = read(inputs).result(), plain_read(inputs).result()
    assert ours.shape == (inputs.batch, inputs.seconds, 1920)
    assert relative(ours, plain) < STAGES["read"].tolerances["ours"]


def test_way_that_fails_is_named(tmp_path, capfd):
    nothing = Inputs(tmp_path, seconds=2, videos=1, batch=2, threads=1)
    with pytest.raises(SystemExit, match="pack: ours failed"):
        measure(STAGES["pack"], nothing, rounds=1)
    assert "visual.safetensors" in capfd.readouterr().err


def test_results_that_differ_are_named():
    stage = replace(STAGES["write"], tolerances={"ours": 1e-3})
    costs = {"plain": Measured([3.0, 4.0], [2.0, 2.0]), "ours": Measured([1.0, 2.0], [4.0, 1.0])}
    good, bad = np.ones(4), np.array([1.0, 1.0, 1.0, 1.1])
    ways = [
        summary(stage, costs, {"plain": good, "ours": one})["ways"]["ours"] for one in (good, bad)
    ]
    assert [way["agrees"] for way in ways] == [True, False]
    assert ways[1]["difference"] == pytest.approx(0.05)
    assert ways[0]["wall_s_ratio"] == [3.0, 2.0]
    assert ways[0]["cpu_s_ratio"] == [0.5, 2.0]


def test_change_is_marked_only_beyond_the_spread():
    def result(*seconds):
        way = {"wall_s": seconds, "cpu_s": (1.0, 1.2, 1.1), "peak_mb": 50.0}
        return {"stages": [{"stage": "read", "ways": {"ours": way}}]}

    rows = [compared(result(*new), result(2.0, 3.0, 4.0)) for new in ((1, 1.5, 1.9), (1, 2, 5))]
    assert [row[0]["wall_s_change"] for row in rows] == ["faster", ""]
    assert rows[0][0]["wall_s"] == 0.5
    assert rows[0][0]["cpu_s_change"] == ""


def bench(*arguments):
    """Run the command; returns its output."""
    command = [sys.executable, "-m", "benchmarks.bench", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def way_of_the_papers_pair(name):
    """False for the ways of another pair, whose features cannot be compared."""
    return name not in list(PAIRS)[2:]


@pytest.mark.slow
def test_quick_run_writes_every_stage_and_compares(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    bench("--quick", "--output", first)
    found = json.loads(first.read_text())
    assert [stage["stage"] for stage in found["stages"]] == list(STAGES)
    assert {"when", "commit", "machine", "versions", "settings", "seconds"} < found.keys()
    for stage in found["stages"]:
        assert list(stage["ways"]) == list(STAGES[stage["stage"]].ways)
        for name, way in stage["ways"].items():
            assert len(way["wall_s"]) == len(way["cpu_s"]) == STAGES[stage["stage"]].rounds
            compared = stage["reference"] in stage["ways"] and name != stage["reference"]
            assert ("cpu_s_ratio" in way) == compared
            assert ("difference" in way) == (compared and way_of_the_papers_pair(name))
            assert way.get("agrees") is not False, (stage["stage"], name, way)
    said = bench("--quick", "--stage", "write", "--output", second, "--compare", first)
    assert "new / old" in said


@pytest.mark.slow
@pytest.mark.workflow
def test_recordings_are_predicted_and_measured(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- recordings -->\n<!-- /recordings -->\n")
    command = [sys.executable, "-m", "benchmarks.recordings", "--quick", "--write", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("|")[1:-1] for line in page.read_text().splitlines() if " s, 64x64" in line]
    assert [row[0].split(",")[0].strip() for row in rows] == ["10 s", "30 s"]
    assert all(float(number) > 0 for row in rows for number in row[1:-1])


def test_unknown_stage_is_refused():
    command = [sys.executable, "-m", "benchmarks.bench", "--stage", "sleep"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "decode frames" in done.stderr


def test_coverage_of_a_simulated_setting_is_near_the_stated_one(monkeypatch):
    """Of 40 intervals of 95 %, fewer than 32 contain the true value once in 10,000 times."""
    monkeypatch.setattr(groups, "RESAMPLES", 50)
    monkeypatch.setattr(coverage, "TRUE_SEEDS", 10)
    monkeypatch.setattr(coverage, "SHOWN", ["accuracy", "negative_log_likelihood"])
    setting = coverage.Setting("small", samples=60, classes=4, seeds=3, each=3, by_group=0.4)
    found = coverage.covered(setting, 40)
    assert list(found) == ["accuracy", "negative_log_likelihood", "difference"]
    assert min(found["accuracy"], found["difference"]) >= 0.8
    monkeypatch.setattr(coverage, "truth", lambda _: dict.fromkeys(found, 0.0))
    assert coverage.covered(setting, 3)["accuracy"] == 0
