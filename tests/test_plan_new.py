"""`mafnet new`: from a folder of labelled videos to a manifest and settings; then `mafnet run`."""

import re
import shutil
from html import escape
from pathlib import Path

import pytest
import yaml
from support.made_videos import AAC, H264, ffmpeg, tone
from test_plan_run import mafnet

from mafnet.dataset.manifest import read_manifest
from mafnet.plan.config import dataset_sections, read_config
from mafnet.plan.own_settings import choose_settings

HOSTILE = "<img src=x onerror=alert(1)>"


def make_video(path, number, seconds=1, sound=True):
    """A small file whose bytes differ for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio, codec = (tone(seconds, 300 + 10 * number), AAC) if sound else ((), ())
    picture = f"color=s={64 + 2 * number}x48:r=10:d={seconds}"
    ffmpeg("-f", "lavfi", "-i", picture, *audio, *H264, *codec, path)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Two classes with five videos each: one copy, a damaged file, a class without sound."""
    root = tmp_path_factory.mktemp("collection") / "videos"
    for number in range(10):
        label = "car" if number < 5 else HOSTILE
        seconds = 2 if number == 3 else 1
        make_video(root / label / f"person{number % 5}.mp4", number, seconds, sound=number >= 5)
    shutil.copy(root / "car/person0.mp4", root / "car/zcopy.mp4")
    (root / "car/damaged.mp4").write_bytes(b"no video" * 100)
    (root / "car/list.txt").write_text("not a video")
    return root


@pytest.fixture
def folder(collection, tmp_path):
    shutil.copytree(collection, tmp_path / "videos")
    return tmp_path


def test_a_folder_becomes_a_manifest_and_settings(folder):
    status, said = mafnet(folder, "new", "mine", "videos")
    assert status == 0, said
    samples = {row.video: row for row in read_manifest(folder / "mine.csv")}
    assert len(samples) == 11
    assert "car/damaged.mp4" not in samples
    copies = samples["car/person0.mp4"], samples["car/zcopy.mp4"]
    assert copies[0].subset == copies[1].subset
    assert copies[0].group == copies[1].group != ""
    assert len({(row.label, row.subset) for row in samples.values()}) == 6
    config = read_config([folder / "mine.yaml"])
    chosen = dataset_sections(config, "mine")
    assert config["datasets"]["mine"]["root"] == "videos"
    assert (chosen.video.clips, chosen.features.visual.backbone) == (1, "efficientnet_lite0")
    assert chosen.model.main == "mafnet"
    for line in (
        r"  car/damaged.mp4: unreadable \(.*",
        rf"  classes with fewer than 10 videos: '{re.escape(HOSTILE)} \(5\)', 'car \(6\)'",
        "  6 of 11 videos have no sound: their audio features are zero",
        "  all videos of 'car' have no sound, .*",
        "  files with the same bytes as another: 1; .*",
        "  clips: 1 of one second; .* of 1 longer ones only the first 1 seconds are used",
        r"  network: mafnet, .* \d training videos compare `main: mafnet_plus`, .*",
        "  mafnet run mine",
    ):
        assert re.search(rf"^{line}$", said, re.MULTILINE), (line, said)
    assert HOSTILE not in (folder / "mine.yaml").read_text()


@pytest.mark.parametrize(("training", "recommended"), [(336, True), (337, False)])
def test_mafnet_plus_is_recommended_for_few_training_videos(training, recommended):
    entry, reasons = choose_settings([], training, Path("videos"), Path("mine.csv"))
    assert entry["model"] == {"main": "mafnet"}
    assert ("`main: mafnet_plus`" in "\n".join(reasons)) is recommended


@pytest.mark.parametrize("heard", ["b", "none"])
def test_digital_silence_is_no_sound(tmp_path, heard):
    """A track of zeros tells the class, too; if no class has sound, only frames are used."""
    for number in range(6):
        label = "ab"[number % 2]
        path = tmp_path / "videos" / label / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        silence = ("-f", "lavfi", "-i", "anullsrc=r=44100", "-shortest")
        sound = tone(1, 300) if label == heard else silence
        picture = f"color=s={64 + 2 * number}x48:r=10:d=1"
        ffmpeg("-f", "lavfi", "-i", picture, *sound, *H264, *AAC, path)
    status, said = mafnet(tmp_path, "new", "mine", "videos")
    assert status == 0, said
    main = dataset_sections(read_config([tmp_path / "mine.yaml"]), "mine").model.main
    if heard == "none":
        assert main == "visual_only"
        assert "  no video has sound: only the frames are used\n" in said
    else:
        assert main == "mafnet"
        assert "  3 of 6 videos have only digital silence as sound\n" in said
        assert "  all videos of 'a' have no sound, others have: " in said


def test_no_file_is_overwritten_and_a_changed_manifest_is_used(folder):
    assert mafnet(folder, "new", "mine", "videos")[0] == 0
    manifest = folder / "mine.csv"
    changed = manifest.read_text().replace(",val,", ",train,", 1)
    manifest.write_text(changed)
    status, said = mafnet(folder, "new", "mine", "videos")
    assert (status, manifest.read_text()) == (1, changed)
    assert said == (
        "mafnet new: mine.csv exists and is not overwritten; remove it, or take another name\n"
    )
    assert mafnet(folder, "check", "mine", "--configfile", "mine.yaml")[0] == 0


def test_groups_stay_together(folder):
    """By a pattern over both classes, and by folder."""
    status, said = mafnet(folder, "new", "people", "videos", "--group", r"/(person\d)")
    assert status == 0, said
    rows = read_manifest(folder / "people.csv")
    subsets = {(row.group, row.subset) for row in rows}
    # The copy joins the group of its original.
    assert {group for group, _ in subsets} == {f"person{number}" for number in range(5)}
    assert len(subsets) == 5
    for number in range(5):
        inner = folder / f"videos/car/day{number}"
        inner.mkdir()
        (folder / f"videos/car/person{number}.mp4").rename(inner / "a.mp4")
    status, said = mafnet(folder, "new", "days", "videos")
    assert status == 1
    assert "car/day0/a.mp4 is in a folder inside the folder of class 'car'" in said
    status, said = mafnet(folder, "new", "days", "videos", "--group", "folder")
    assert "class '<img src=x onerror=alert(1)>' has 1 (in 5 usable videos)" in said


def test_a_table_names_files_and_labels(folder):
    videos = sorted((folder / "videos").rglob("person*.mp4"))
    rows = [f"{path.relative_to(folder)},{'ab'[index % 2]}" for index, path in enumerate(videos)]
    table = folder / "labels.csv"
    table.write_text("\n".join(["file,label", *rows, "gone.mp4,a"]) + "\n")
    status, said = mafnet(folder, "new", "mine", "labels.csv")
    assert status == 0, said
    assert "  gone.mp4: missing\n" in said
    assert {row.label for row in read_manifest(folder / "mine.csv")} == {"a", "b"}
    table.write_text("file,label\n../secret.mp4,a\nx.mp4,b\u200b\n")
    status, said = mafnet(folder, "new", "other", "labels.csv")
    assert status == 1
    assert "row 2: video '../secret.mp4' is outside" in said


def one_class(root):
    make_video(root / "car/a.mp4", 1)


def three_videos(root):
    for number, label in enumerate(("car", "car", "dog")):
        make_video(root / label / f"{number}.mp4", number)


def unreadable(root):
    for label in ("car", "dog"):
        (root / label).mkdir(parents=True)
        (root / label / "a.mp4").write_bytes(b"no video" * 100)


def no_classes(root):
    make_video(root / "a.mp4", 1)


def only_subsets(root):
    for name in ("train", "test"):
        make_video(root / name / "car/a.mp4", 1)


def similar_labels(root):
    for label in ("car", "Car"):
        make_video(root / label / "a.mp4", 1)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (one_class, "has only the class 'car'; a classifier needs at least two"),
        (three_videos, "class 'car' has 2 (in 2 usable videos); 'dog' has 1 (in 1 usable"),
        (unreadable, "none of the 2 videos can be read; car/a.mp4: unreadable"),
        (no_classes, "its 1 videos are not in folders; make one folder for each class"),
        (only_subsets, "the folders test, train are subsets, not classes"),
        (similar_labels, "label 'car' looks like 'Car'; use one spelling"),
        (Path.mkdir, "no file in it has a suffix of a video"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_message_and_no_file(tmp_path, make, expected):
    make(tmp_path / "videos")
    status, said = mafnet(tmp_path, "new", "mine", "videos")
    assert status == 1
    assert expected in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a-b", "videos"), "'a-b' is not a name"),
        (("demo", "videos"), "demo is a data set of config.yaml already"),
        (("mine", "videos", "--group", "("), "is not a regular expression"),
        (("mine", "videos", "--group", "session"), "is in the path of no video"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, arguments, expected):
    for label in ("car", "dog"):
        (tmp_path / "videos" / label).mkdir(parents=True)
        (tmp_path / "videos" / label / "a.mp4").touch()
    status, said = mafnet(tmp_path, "new", *arguments)
    assert status == 1
    assert expected in said
    assert said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.workflow
def test_the_lines_of_the_readme_lead_to_the_page(folder):
    """With random weights and few epochs in a file of settings, so that nothing is downloaded."""
    small = {
        "features": {"visual": {"weights": "random"}, "audio": {"weights": "random"},
                     "random": {"calibration_videos": 2}},
        "model": {"seeds": [0], "network": {"hidden": 16}, "training": {"max_epochs": 5}},
    }  # fmt: skip
    (folder / "small.yaml").write_text(yaml.safe_dump({"datasets": {"mine": small}}))
    walk_the_readme(folder, "--configfile", "small.yaml")


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.pretrained
def test_the_lines_of_the_readme_lead_to_the_page_with_pretrained_networks(folder):
    walk_the_readme(folder)


def walk_the_readme(folder, *options):
    """Run the `mafnet` lines of the section "Your own videos" on the folder `videos`."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    block = re.search(r"## Your own videos\n[\s\S]*?\n((?:    .*\n)+)", readme)[1]
    lines = [line.split("#")[0].split() for line in block.splitlines()]
    commands = [line[1:] for line in lines if line[0] == "mafnet"]
    assert [command[0] for command in commands] == ["doctor", "new", "run"]
    for command in commands:
        status, said = mafnet(folder, *command, *(options if command[0] == "run" else ()))
        assert status == 0, said
    page = (folder / "results/mine/summary.html").read_text()
    assert HOSTILE not in page
    assert escape(HOSTILE) in page
