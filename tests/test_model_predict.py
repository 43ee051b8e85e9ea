"""`mafnet predict` and the Python API, on the runs of the finished tiny workflow."""

import csv
import io
import json
import logging
import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from click.testing import CliRunner
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone
from support.tiny_run import REPOSITORY

import mafnet
from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.common.files import write_json
from mafnet.model.run_folder import RunFolder

RUN = "results/tiny/main/mafnet/seed0"


@pytest.fixture(scope="module")
def run(finished_run):
    return finished_run.folder / RUN


def predict(*arguments, **options):
    """The result of `mafnet predict`; standard output has no log."""
    words = ["--quiet", "predict", *map(str, arguments), "--threads", "1", "--device", "cpu"]
    return CliRunner().invoke(main, words, **options)


def test_predictions_are_those_of_the_evaluation(finished_run, run, tmp_path, monkeypatch, caplog):
    """With the cache of the project, which is found, and with an empty one, from the same files."""
    monkeypatch.chdir(finished_run.folder)
    caplog.set_level(logging.INFO)
    known, attention = RunFolder(run).read_predictions(), RunFolder(run).read_attention()
    for cache in ((), ("--cache", tmp_path)):
        result = predict("videos/6.mp4", "videos/7.mp4", "--model", RUN, "--json", *cache)
        assert not result.exit_code, result.output
        values = json.loads(result.stdout)
        assert values["random_weights"] == ["visual", "audio"]
        found = [list(map(each["probabilities"].get, known.classes)) for each in values["videos"]]
        # One unit of the last of the six digits that both have.
        np.testing.assert_allclose(found, known.probabilities, rtol=1e-5)
        scores = [[clip[name] for name in attention.modalities] for each in values["videos"]
                  for clip in each["attention"]]  # fmt: skip
        np.testing.assert_allclose(scores, attention.weights[:, 0], rtol=1e-5)
    assert list(tmp_path.glob("densenet201/*/*/*.clips"))
    said = [record.getMessage() for record in caplog.records]
    visual = [line for line in said if line.startswith("visual:")]
    assert visual == [f"visual: {done} videos in the cache, {2 - done} to extract"
                      for done in (2, 0)]  # fmt: skip
    assert any(re.fullmatch("predict: 2 of 2 videos, .* elapsed, about .* left", s) for s in said)


def test_a_bad_file_is_reported_and_the_others_are_predicted(finished_run, run, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(finished_run.folder / "videos/6.mp4", folder / "good.mp4")
    (folder / "bad.mp4").write_bytes(b"no video at all")
    ffmpeg(*tone(1), *AAC, folder / "sound.mp4")
    result = predict(folder, tmp_path / "none.mp4", "--model", run, "--csv")
    assert result.exit_code == 1
    rows = {row["video"]: row for row in csv.DictReader(io.StringIO(result.stdout))}
    assert rows[str(folder / "good.mp4")]["label"] in RunFolder(run).read_settings().classes
    assert float(rows[str(folder / "good.mp4")]["visual[0]"]) >= 0
    assert rows[str(folder / "bad.mp4")]["status"] == "unreadable"
    assert rows[str(folder / "sound.mp4")]["status"] == "no_video"
    assert rows[str(tmp_path / "none.mp4")]["status"] == "missing"
    assert "3 of 4 videos" in result.stderr


def test_the_table_shows_labels_and_a_timeline(finished_run, run):
    result = predict(finished_run.folder / "videos/6.mp4", "--model", run)
    assert not result.exit_code, result.output
    for text in ("high", "low", "%", "visual ", "audio ", "Random weights"):
        assert text in result.stdout


def test_a_video_without_sound_follows_the_policy(run, tmp_path):
    video = tmp_path / "silent.mp4"
    ffmpeg(*counting_frames(1, 10), *H264, video)
    found = mafnet.load(run, device="cpu", threads=1, cache=tmp_path).predict(video)
    assert "no_audio" in found.warnings
    assert found.valid.tolist() == [[True, False]]
    with pytest.raises(MafnetError, match="no_audio"):
        mafnet.load(run, device="cpu", threads=1, cache=tmp_path, silent="fail").predict(video)


def test_the_prediction_as_frames(finished_run, run):
    found = mafnet.load(run, device="cpu", threads=1).predict(finished_run.folder / "videos/7.mp4")
    frame = found.to_frame()
    assert frame["label"][0] == found.label
    assert frame["probability"].sum() == pytest.approx(1)
    assert list(found.attention_frame()) == ["video", "start", "visual", "audio"]
    assert found.times.tolist() == [0]


def test_names_stand_for_folders_patterns_tables_and_lists(finished_run, run, monkeypatch):
    monkeypatch.chdir(finished_run.folder)
    shutil.copy("manifest.csv", "videos/list.csv")
    try:
        for names, count in (("videos", 8), ("videos/[67].mp4", 2), ("videos/list.csv", 8)):
            result = predict(names, "videos/6.mp4", "--model", run, "--json")
            assert len(json.loads(result.stdout)["videos"]) == count
    finally:
        (finished_run.folder / "videos/list.csv").unlink()
    result = predict("-", "--model", run, "--json", input="videos/6.mp4\n\n")
    assert len(json.loads(result.stdout)["videos"]) == 1
    assert "no video is there" in predict("logs", "--model", run).stderr


def test_what_does_not_fit_is_an_error_that_says_what_to_do(run, tmp_path):
    with pytest.raises(MafnetError, match="is no run"):
        mafnet.load(run.parent)
    moved = tmp_path / "a/b/c/d/seed0"
    shutil.copytree(run, moved)
    with pytest.raises(MafnetError, match=r"visual\.safetensors is not in .*--weights"):
        mafnet.load(moved)
    weights = run.parents[2] / "weights"
    assert mafnet.load(moved, weights=weights, device="cpu").settings.variant == "mafnet"
    shutil.copytree(weights, tmp_path / "changed", ignore=lambda *_: [".visual.safetensors.sha256"])
    with (tmp_path / "changed/visual.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(MafnetError, match="has other values"):
        mafnet.load(moved, weights=tmp_path / "changed")
    folder = RunFolder(moved)
    settings = folder.read_settings().as_dict()
    settings["features"]["audio"]["backbone_version"] = 0
    write_json(settings, folder.settings)
    with pytest.raises(MafnetError, match=r"another version of mafnet \(backbone_version: 0"):
        mafnet.load(moved, weights=weights, device="cpu")


def test_the_lines_of_the_readme_run(finished_run, tmp_path):
    """With the tiny data set in place of `mine`, in a folder where the results are linked."""
    section = (REPOSITORY / "README.md").read_text().split("## Predict\n")[1].split("\n##")[0]
    blocks = re.findall(r"(?:^    .*\n)+", section.replace("/mine/", "/tiny/"), re.MULTILINE)
    command, code, explore = map(textwrap.dedent, blocks)
    (tmp_path / "results").symlink_to(finished_run.folder / "results")
    (tmp_path / "new").mkdir()
    shutil.copy(finished_run.folder / "videos/6.mp4", tmp_path / "new/one.mp4")
    (program, *words), place = command.split(), {"cwd": tmp_path, "check": True, "text": True}
    assert program == "mafnet"
    subprocess.run([sys.executable, "-m", "mafnet", *words], **place)
    # A plain script, because processes that mafnet starts must not run it again.
    (tmp_path / "use.py").write_text(code)
    printed = subprocess.run([sys.executable, "use.py"], stdout=subprocess.PIPE, **place).stdout
    assert "probability" in printed
    (program, *words) = explore.split()
    # Without --output it would serve until it is stopped.
    subprocess.run([sys.executable, "-m", program, *words, "--output", "page"], **place)
    assert (tmp_path / "page/index.html").is_file()


def test_importing_mafnet_imports_no_library():
    code = "import mafnet, sys; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
