"""UCF51: its lists, its rar archive, and a miniature from archive to metrics."""

import shutil

import pytest
from support import miniatures
from support.miniature_runs import metrics_of, write_config

from mafnet.common.errors import MafnetError
from mafnet.common.resources import resource, table
from mafnet.dataset.collect import collect
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.lists import read_lists
from mafnet.dataset.locate import list_videos, located
from mafnet.dataset.manifest import read_classes, read_manifest
from mafnet.dataset.sources.ucf51 import SOURCE, parse, samples


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    lists = tmp_path_factory.mktemp("ucf") / "UCF101TrainTestSplits-RecognitionTask.zip"
    return read_lists(SOURCE, miniatures.write_zip(lists, miniatures.ucf_lists()))


def full_train_list(classes=("Archery", "Bowling"), groups=18, clips=4):
    """A training list with classes of real size: CRLF line ends, numbers after the paths."""
    return "".join(
        f"{label}/v_{label}_g{group:02d}_c{clip:02d}.avi {number}\r\n"
        for number, label in enumerate(classes, 1)
        for group in range(8, 8 + groups)
        for clip in range(1, clips + 1)
    )


def test_class_list_and_counts_are_the_published_ones():
    names = read_classes(resource("classes/ucf51.txt"))
    assert len(names) == 51
    assert names == sorted(names)
    assert "HandstandPushups" in names
    rows = {
        (row["split"], row["subset"]): int(row["count"])
        for row in table("expected.tsv")
        if (row["dataset"], row["unit"]) == ("ucf51", "rows")
    }
    assert [rows[f"split0{n}", "train+val"] for n in (1, 2, 3)] == [4901, 4930, 4945]
    assert [rows[f"split0{n}", "test"] for n in (1, 2, 3)] == [1944, 1915, 1900]
    assert {sum(rows[f"split0{n}", s] for s in ("train+val", "test")) for n in (1, 2, 3)} == {6845}


def test_lists_with_crlf_and_without_labels(texts):
    assert "\r\n" in texts["train01"]
    train, test = parse(texts["train01"], "train"), parse(texts["test01"], "test")
    assert (len(train), len(test)) == (12, 3)
    assert test[0].video == "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"
    assert {row.label for row in train + test} == set(miniatures.UCF_CLASSES)


def test_malformed_line_is_named():
    with pytest.raises(MafnetError, match=r"'Archery\.avi 3' is not CLASS/v_CLASS"):
        parse("Archery.avi 3\r\n", "train")


def test_validation_is_whole_groups_of_each_class():
    rows = samples({"train01": full_train_list(), "test01": ""}, "split01", Holdout(share=0.1))
    subsets = {}
    for row in rows:
        subsets.setdefault(row.group, set()).add(row.subset)
    assert all(len(found) == 1 for found in subsets.values())
    held = [key for key, found in subsets.items() if found == {"val"}]
    labels = sorted(group.split()[0] for group in held)
    assert labels == ["Archery"] * 2 + ["Bowling"] * 2  # 0.1 of 18


def test_holdout_is_seeded_and_stable():
    names = [f"g{number:02d}" for number in range(30)]
    chosen = Holdout(share=0.2, seed=0).choose(names, "x")
    assert chosen == Holdout(share=0.2, seed=0).choose(names[::-1], "x")
    assert len(chosen) == 6
    assert chosen != Holdout(share=0.2, seed=1).choose(names, "x")
    assert chosen != Holdout(share=0.2, seed=0).choose(names, "y")
    assert (
        len(chosen & Holdout(share=0.2, seed=0).choose([*names, "g30"], "x")) >= 5
    )  # one more moves few
    assert Holdout(share=0.1).choose(["only"], "x") == set()
    assert len(Holdout(share=0.01).choose(["a", "b"], "x")) == 1


def test_three_splits_are_shown_and_differ(texts):
    assert SOURCE.protocols[SOURCE.default].splits == ("split01", "split02", "split03")
    tested = [
        {row.video for row in samples(texts, split, Holdout()) if row.subset == "test"}
        for split in SOURCE.protocols[SOURCE.default].splits
    ]
    assert not tested[0] & tested[1] | tested[1] & tested[2]


def test_handstand_pushups_are_found_without_case(texts, tmp_path, caplog):
    videos = dict.fromkeys(miniatures.ucf_videos([b"x"] * 3, b"y"), b"x")
    root = miniatures.write_files(tmp_path, videos)
    rows = located(samples(texts, "split01", Holdout()), list_videos(root), folded=True)
    found = {row.video for row in rows if row.label == "HandstandPushups"}
    assert "UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi" in found
    assert all((root / video).is_file() for video in found)
    assert "5 file names differ from the lists in case only" in caplog.text


def test_missing_video_has_its_expected_path(texts, tmp_path):
    videos = dict.fromkeys(miniatures.ucf_videos([b"x"] * 3, b"y"), b"x")
    del videos["UCF-101/Archery/v_Archery_g01_c01.avi"]
    root = miniatures.write_files(tmp_path, videos)
    rows = located(samples(texts, "split01", Holdout()), list_videos(root), folded=True)
    (gone,) = [row.video for row in rows if not (root / row.video).is_file()]
    assert gone == "UCF-101/Archery/v_Archery_g01_c01.avi"


@pytest.mark.skipif(not shutil.which("bsdtar"), reason="no bsdtar on the PATH")
def test_only_the_51_classes_are_unpacked_from_rar(tmp_path):
    files = miniatures.ucf_videos([b"one", b"two", b"three"], b"none")
    archive = miniatures.write_rar(tmp_path / "UCF101.rar", files)
    members = collect(SOURCE, archive, None, tmp_path / "to")
    assert len(members) == 15
    assert not (tmp_path / "to/UCF-101/Basketball").exists()
    path = "UCF-101/Archery/v_Archery_g01_c01.avi"
    assert (tmp_path / "to" / path).read_bytes() == files[path]


def test_rar_without_a_program_says_what_to_install(tmp_path, monkeypatch):
    archive = miniatures.write_rar(tmp_path / "UCF101.rar", {"UCF-101/Archery/a.avi": b"x"})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        MafnetError, match=r"needs unrar, 7z or bsdtar .* install one of them, or unpack"
    ):
        collect(SOURCE, archive, None, tmp_path / "to")


@pytest.mark.slow
@pytest.mark.workflow
def test_from_archive_to_metrics(tmp_path):
    videos = miniatures.clips(tmp_path, "avi")
    silent = miniatures.clips(tmp_path, "avi", silent=True)[1]
    files = miniatures.ucf_videos(videos, silent)
    rar = shutil.which("bsdtar") is not None
    write = miniatures.write_rar if rar else miniatures.write_zip
    archive = write(tmp_path / ("UCF101.rar" if rar else "UCF101.zip"), files)
    lists = tmp_path / "UCF101TrainTestSplits-RecognitionTask.zip"
    entry = {
        "source": "ucf51",
        "archive": str(archive),
        "lists": str(miniatures.write_zip(lists, miniatures.ucf_lists())),
        "video": {"silent": "drop"},
    }
    metrics, _ = metrics_of(tmp_path, write_config(tmp_path, {"ucf51": entry}), "ucf51")

    assert [run["split"] for run in metrics["runs"]] == ["split01", "split02", "split03"]
    mean = sum(run["accuracy"] for run in metrics["runs"]) / 3
    assert metrics["accuracy"]["mean"] == pytest.approx(mean, abs=0.01)  # two decimals are kept
    assert (metrics["paper"], metrics["protocol"]["name"]) == (86.72, "three_splits")
    assert metrics["media"]["dropped"] == 1
    rows = read_manifest(tmp_path / "data/ucf51/split02.csv")
    assert {row.subset for row in rows} == {"train", "val", "test"}
