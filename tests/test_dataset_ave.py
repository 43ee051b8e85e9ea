"""AVE: its lists, and a miniature of its archive from zip to metrics."""

import json

import pytest
from support import miniatures
from support.miniature_runs import metrics_of, planned, snakemake, write_config

from mafnet.common.errors import MafnetError
from mafnet.common.resources import resource, table
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.manifest import read_classes, read_manifest
from mafnet.dataset.sources.ave import SOURCE, parse, samples

ROW = "Female speech, woman speaking&-_zXa1&good&2&10"


def texts(header=False):
    files = miniatures.ave_files([b"a", b"b", b"c"], header)
    return {name: files[f"AVE/{name}Set.txt"].decode() for name in ("train", "val", "test")}


def test_class_list_is_the_28_of_ave_in_sorted_order():
    names = read_classes(resource("classes/ave.txt"))
    assert len(names) == 28
    assert names == sorted(names)
    assert (names[0], names[2], names[-1]) == (
        "Accordion", "Baby cry, infant cry", "Violin, fiddle",
    )  # fmt: skip


def test_expected_counts_are_the_published_ones():
    found = {
        (row["split"], row["subset"], row["unit"]): int(row["count"])
        for row in table("expected.tsv")
        if row["dataset"] == "ave"
    }
    assert [found["official", s, "rows"] for s in ("train", "val", "test")] == [3339, 402, 402]
    assert [found["single_label", s, "rows"] for s in ("train", "val", "test")] == [3268, 390, 394]
    assert (found["official", "all", "rows"], found["official", "all", "videos"]) == (4143, 4097)


@pytest.mark.parametrize(
    "head", ["", f"{miniatures.AVE_HEADER}\n", f"\ufeff{miniatures.AVE_HEADER}\r\n"]
)
def test_rows_are_split_at_ampersands_only_header_or_none(head):
    (sample,) = parse(f"{head}{ROW}\n", "train")
    assert sample.label == "Female speech, woman speaking"
    assert (sample.sample, sample.video) == ("-_zXa1", "AVE/-_zXa1.mp4")
    assert sample.event == (2.0, 10.0)


def test_degenerate_row_is_a_sample_without_an_event():
    (sample,) = parse("Church bell&VWi2ENBuTbw&good&0&0", "test")
    assert (sample.label, sample.event) == ("Church bell", None)


def test_malformed_row_is_named():
    with pytest.raises(MafnetError, match="'Church bell,VWi,good'"):
        parse("Church bell,VWi,good", "val")


def test_two_labels_are_two_samples_of_one_video():
    rows = samples(texts(), "official", Holdout())
    both = [row for row in rows if row.video == "AVE/both1.mp4"]
    assert [(row.sample, row.label) for row in both] == [
        ("both1", "Frying (food)"), ("both1~2", "Church bell"),
    ]  # fmt: skip


def test_single_label_drops_every_row_of_a_video_with_several():
    official = samples(texts(), "official", Holdout())
    single = samples(texts(), "single_label", Holdout())
    assert {row.video for row in official} - {row.video for row in single} == {
        "AVE/both1.mp4", "AVE/leak1.mp4",
    }  # fmt: skip
    assert len(official) - len(single) == 4


def test_leak_between_subsets_is_declared_in_its_rows():
    rows = samples(texts(), "official", Holdout())
    leaks = {(row.subset, row.also_in) for row in rows if row.video == "AVE/leak1.mp4"}
    assert leaks == {("train", ("test",)), ("test", ("train",))}
    assert not any(row.also_in for row in samples(texts(), "single_label", Holdout()))


def test_undeclared_leak_is_refused(tmp_path):
    path = tmp_path / "own.csv"
    head = "sample,video,label,subset"
    path.write_text(f"{head}\na,x.mp4,A,train\nb,x.mp4,B,test\n")
    with pytest.raises(MafnetError, match=r"row 3: video 'x\.mp4' is in subset test here"):
        read_manifest(path)
    path.write_text(f"{head},also_in\na,x.mp4,A,train,test\nb,x.mp4,B,test,train\n")
    assert [row.also_in for row in read_manifest(path)] == [("test",), ("train",)]


def test_published_lists_are_recognised_by_their_digest():
    known = {row["file"]: row["sha256"] for row in table("lists.tsv") if row["dataset"] == "ave"}
    assert known == {
        "trainSet.txt": "4f6c37af",
        "valSet.txt": "76c3c51b",
        "testSet.txt": "e73c25a5",
    }


def test_all_protocols_share_their_features():
    assert SOURCE.default == "single_label"
    assert set(SOURCE.splits_with("official")) == {"official", "single_label"}


@pytest.mark.workflow
def test_from_zip_to_metrics(tmp_path):
    """The zip file is in its conventional place, so the entry of config.yaml finds it."""
    videos = miniatures.clips(tmp_path)
    files = miniatures.ave_files(videos)
    del files["AVE/AVE/fry1.mp4"]  # it is no longer available
    archive = miniatures.write_zip(tmp_path / "AVE_Dataset.zip", files)
    (tmp_path / "data/ave").mkdir(parents=True)
    archive.rename(tmp_path / "data/ave/AVE_Dataset.zip")
    entry = {"video": {"max_failed_fraction": 0.2}}
    config = write_config(tmp_path, {"ave": entry})

    metrics, said = metrics_of(tmp_path, config, "ave")

    assert [run["split"] for run in metrics["runs"]] == ["single_label"]
    assert metrics["runs"][0]["samples"] == 3  # four rows without the leaking one
    assert metrics["paper"] == 90.86
    assert metrics["protocol"]["name"] == "single_label"
    found = metrics["protocol"]["differences"]  # only in what this test chooses for its speed
    assert metrics["protocol"]["as_paper"] == (not found)
    assert all(text.startswith(("1 clips", "visual features", "audio features")) for text in found)
    assert metrics["media"]["reasons"] == {"missing": 1}
    assert any("RANDOM weights" in note for note in metrics["notes"])
    assert any("1 of 11 videos are missing" in note for note in metrics["notes"])
    assert "the paper: 90.86 %" in said
    rows = read_manifest(tmp_path / "data/ave/official.csv")
    assert "AVE/AVE/--baby2.mp4" in {row.video for row in rows}

    # Both protocols share their features, so the other one only needs a comparison of its subsets,
    # training and later steps.
    config = write_config(tmp_path, {"ave": entry | {"protocol": "official"}})
    done = snakemake(tmp_path, config, "results/ave/metrics.json", "-n")
    assert done.returncode == 0, done.stdout
    assert planned(done.stdout) == {"screen": 1, "train": 1, "evaluate": 1, "metrics": 1}


@pytest.mark.workflow
def test_folder_with_lists_in_another_folder_and_a_header(tmp_path):
    files = miniatures.ave_files([b"a", b"b", b"c"], header=True)
    lists = {
        name: files.pop(f"AVE/{name}") for name in ("trainSet.txt", "valSet.txt", "testSet.txt")
    }
    entry = {
        "source": "ave",
        "folder": str(miniatures.write_files(tmp_path / "videos", files) / "AVE/AVE"),
        "lists": str(miniatures.write_files(tmp_path / "lists", lists)),
    }
    done = snakemake(tmp_path, write_config(tmp_path, {"ave": entry}), "data/ave/official.csv")
    assert done.returncode == 0, done.stdout
    rows = read_manifest(tmp_path / "data/ave/official.csv")
    assert (rows[0].sample, rows[0].video) == ("-baby1", "-baby1.mp4")
    description = json.loads((tmp_path / "data/ave/official.json").read_text())
    assert description["rows"] == {"train": 8, "val": 3, "test": 4, "all": 15}
    assert (description["videos"], description["missing_videos"]) == (13, 0)
    assert description["videos_also_in_train"] == {"val": 0, "test": 1}
