"""`mafnet explore`: what the page has, the command, and the written folder."""

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from support.explored import (
    CLASSES,
    IMAGE,
    OLD,
    SCRIPT,
    collection,
    get,
    made_results,
    parts_file,
)
from support.seals import unsealed

from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.features.videos import FailedVideo
from mafnet.model.prediction_output import as_json
from mafnet.model.video_prediction import VideoPrediction
from mafnet.report.explore.browser_video import problem
from mafnet.report.explore.predicted_videos import predicted_videos
from mafnet.report.explore.run_videos import best
from mafnet.report.explore.shown_videos import compared
from mafnet.report.explore.viewer_page import viewer_page
from mafnet.video.probe import probe


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_results(tmp_path_factory.mktemp("explore"))


def data_of(html):
    """The data of a page."""
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


def explore(*arguments):
    return CliRunner().invoke(main, ["--quiet", "explore", *map(str, arguments)])


# Data


def test_videos_of_a_run(made):
    shown = collection(made, "first")
    assert shown.title == "first seed 0 on made"
    assert list(shown.videos) == [f"s{n}" for n in range(6)]
    video = shown.videos["s1"]
    assert (video.label, video.event, video.path.name) == (CLASSES[1], (1.0, 2.5), f"{IMAGE}.mp4")
    (found,) = video.findings
    assert (found.predicted, found.top[0]) == (CLASSES[0], (CLASSES[0], pytest.approx(0.6)))
    scores = np.outer([0.2, 0.8], [0.2, 0.3, 0.5])
    np.testing.assert_allclose(found.attention, scores, rtol=1e-6)  # float32


def test_padding_has_no_score(made, tmp_path):
    other = made_results(tmp_path)
    path = unsealed(other.runs["first"][0] / "attention.npz")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["valid"][:, 2] = False
    np.savez(path, **arrays)
    (found,) = collection(other, "first").videos["s0"].findings
    assert [row[2] for row in found.attention] == [None, None]
    assert None not in found.attention[0][:2]


def test_label_that_is_not_among_the_most_probable_is_listed_too():
    found = best({name: 1 / (n + 2) for n, name in enumerate("abcdefgh")}, "h")
    assert [name for name, _ in found] == [*"abcde", "h"]


def test_hostile_names_do_not_end_the_data(made):
    shown = collection(made, "first")
    html, policy = viewer_page(shown, {name: {"src": None} for name in shown.videos})
    assert html.count("<script") == 2
    assert "<img" not in html
    assert {one["label"] for one in data_of(html)["videos"]} == set(CLASSES)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def predictions(path, names, random=("visual",)):
    """Write the JSON of mafnet predict for some files; the last one failed."""
    scores, valid = np.full((3, 2), 1 / 6, np.float32), np.ones((3, 2), bool)
    valid[2, 1] = False
    found = [
        VideoPrediction(name, ("dog", "o\u202ewl"), np.array([0.3, 0.7]), ("visual", "audio"),
                        scores, np.arange(3.0), valid)
        for name in map(str, names[:-1])
    ]  # fmt: skip
    about = {"run": "results/x/main/mafnet/seed0", "random_weights": random}
    found.append(FailedVideo(str(names[-1]), "unreadable", "<b>no video</b>"))
    path.write_text(as_json(found, about))
    return path


def test_predictions_for_new_videos(made, tmp_path):
    videos = made.folder / "videos"
    names = [videos / "v0.mp4", videos / OLD, videos / "gone.mp4", tmp_path / "bad.mp4"]
    path = predictions(tmp_path / "new.json", names)
    shown = predicted_videos(path, 1)
    assert shown.title == "results/x/main/mafnet/seed0 on new.json"
    assert list(shown.videos) == [str(names[0]), str(names[1])]
    assert dict(shown.failed).keys() == {str(names[2]), str(names[3])}
    (found,) = shown.videos[str(names[0])].findings
    assert found.predicted == "o\u202ewl"
    assert (found.attention[0], found.attention[1][2]) == ((0.166667,) * 3, None)
    assert (shown.networks[0].modalities, shown.networks[0].random) == (
        ("visual", "audio"), ("visual",),
    )  # fmt: skip
    html, _ = viewer_page(shown, {name: {"src": None} for name in shown.videos})
    assert "&lt;b&gt;no video" in html
    assert data_of(html)["videos"][0]["findings"][0]["predicted"] == r"o\u202ewl"


def test_parts_of_recordings(made, tmp_path):
    """Of `mafnet predict --windows`."""
    shown = predicted_videos(parts_file(tmp_path / "parts.json", made), 1)
    (loud, mute), (finding,) = shown.videos.values(), next(iter(shown.videos.values())).findings
    assert [(part.start, part.end, part.label) for part in loud.parts] == [
        (0, 1, "a"), (1, 3, SCRIPT),
    ]  # fmt: skip
    assert (finding.predicted, finding.top) == (SCRIPT, ((SCRIPT, 0.9), ("a", 0.6)))
    assert loud.seconds == pytest.approx(3, abs=0.1)
    assert mute.parts == ()
    with pytest.raises(MafnetError, match="cannot be compared"):
        compared(shown, shown)


def test_files_that_are_no_videos_are_never_shown(tmp_path):
    path = predictions(tmp_path / "new.json", ["/etc/passwd", "/dev/zero", tmp_path, "x"])
    with pytest.raises(MafnetError, match="none of its 4 videos can be shown"):
        predicted_videos(path, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"videos": 3}', "is no file of `mafnet predict --json`"),
        ("no json", "cannot be read as JSON"),
        ('{"run": "x", "videos": [{"video": "a", "status": "ok", "segments": 3}]}', "1 faults"),
        ('{"run": "x", "videos": [{"video": "a", "status": "ok", "label": "b"}]}', "no attention"),
        (
            '{"run": "x", "videos": [{"video": "a", "status": "ok", "probabilities": {"b": NaN}}]}',
            "1 faults",
        ),
    ],
)
def test_other_files_are_one_line(tmp_path, content, message):
    path = tmp_path / "new.json"
    path.write_text(content)
    result = explore(path)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.splitlines()) == 1


def test_runs_of_different_samples_cannot_be_compared(made):
    shown = collection(made, "first")
    other = dataclasses.replace(shown, videos={"x": shown.videos["s0"]})
    with pytest.raises(MafnetError, match="no video in common"):
        compared(shown, other)


def test_network_without_attention(made, tmp_path):
    """As video networks are."""
    other = made_results(tmp_path)
    (other.runs["first"][0] / "attention.npz").unlink()
    shown = collection(other, "first")
    assert shown.networks[0].modalities == ()
    html, _ = viewer_page(shown, {name: {"src": None} for name in shown.videos})
    assert "This network has no attention" in html
    assert 'id="dominant"' not in html


# The command


def test_command_serves_until_it_is_interrupted(made):
    command = [sys.executable, "-m", "mafnet", "explore", made.runs["first"][0]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout.readline().startswith("first seed 0 on made: 6 videos; Ctrl-C")
            address = process.stdout.readline().strip()
            port, secret = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/(\S{16})/", address).groups()
            assert get(int(port), f"/{secret}/").status == 200
            assert get(int(port), "/").status == 404
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_folder_has_the_page_and_its_videos(made, tmp_path):
    output = tmp_path / "page"
    result = explore(made.runs["first"][0], made.runs["second"][0], "--output", output)
    assert not result.exit_code, result.output
    assert sorted(path.name for path in output.iterdir()) == ["index.html", "media"]
    videos = data_of((output / "index.html").read_text())["videos"]
    assert [one["src"] for one in videos] == [f"media/{n}.mp4" for n in range(6)]
    assert len(videos[0]["findings"]) == 2
    assert problem(probe(output / "media/5.mp4", "x")) == ""  # was .avi
    again = explore(made.runs["first"][0], "--output", output)
    assert again.exit_code == 1
    assert "is there already" in again.output


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("results/other/main/first/seed0", "other is not in the settings"),
        ("results/made/fold2/first/seed0", "fold2 is no split of made"),
    ],
)
def test_runs_without_their_videos_are_one_line(made, place, message):
    folder = made.folder / place
    shutil.copytree(made.runs["first"][0], folder)
    result = explore(folder)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert message in result.output
    assert "is no evaluated run" in explore(folder.parent).output


def test_runs_and_predictions_of_the_workflow(finished_run, tmp_path, monkeypatch):
    """What the workflow and `mafnet predict` have written, from the folder of the data set."""
    monkeypatch.chdir(finished_run.folder)
    run, page = "results/tiny/main/mafnet/seed0", tmp_path / "page"
    result = explore(run, "--output", page)
    assert not result.exit_code, result.output
    tested = data_of((page / "index.html").read_text())
    assert [one["file"] for one in tested["videos"]] == [
        str(finished_run.folder / f"videos/{n}.mp4") for n in (6, 7)
    ]
    command = ["--quiet", "predict", "videos/6.mp4", "gone.mp4", "--model", run, "--json"]
    found = CliRunner().invoke(main, [*command, "--threads", "1", "--device", "cpu"])
    (tmp_path / "new.json").write_text(found.stdout)
    result = explore(tmp_path / "new.json", "--output", tmp_path / "new")
    assert not result.exit_code, result.output
    html = (tmp_path / "new/index.html").read_text()
    (video,) = data_of(html)["videos"]
    assert "1 video could not be used" in html
    assert video["findings"][0]["attention"] == tested["videos"][0]["findings"][0]["attention"]
