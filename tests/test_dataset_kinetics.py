"""Kinetics-Sounds: annotations, class lists, tar files of a mirror, and a miniature to metrics."""

import csv

import pytest
from support import miniatures
from support.miniature_runs import metrics_of, snakemake, write_config

from mafnet.common.errors import MafnetError
from mafnet.common.resources import resource, table
from mafnet.dataset.collect import collect
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.locate import list_videos, located
from mafnet.dataset.manifest import Sample, read_classes, read_manifest
from mafnet.dataset.sources.kinetics import SOURCE, parse, samples

HEADER = miniatures.KINETICS_HEADER


def texts(train=20, val=3):
    return {
        "train": miniatures.kinetics_csv("train", train).decode(),
        "val": miniatures.kinetics_csv("val", val).decode(),
    }


def test_class_lists_and_counts_are_the_published_ones():
    ks32, ks31 = (read_classes(resource(f"classes/{name}.txt")) for name in ("ks32", "ks31"))
    assert (len(ks32), len(ks31)) == (32, 31)
    assert set(ks32) - set(ks31) == {"strumming guitar"}
    counts = [row["count"] for row in table("expected.tsv") if row["dataset"] == "kinetics_sounds"]
    assert counts == ["1594"]


def test_map_from_the_34_names_reaches_all_32_classes():
    rows = table("label_maps/kinetics_sounds_2017.tsv")
    assert len({row["name_2017"] for row in rows}) == 34
    assert {row["name_2017"] for row in rows if not row["ks32"]} == {"typing", "patting"}
    reached = [row["ks32"] for row in rows if row["ks32"]]
    assert sorted(reached) == read_classes(resource("classes/ks32.txt"))
    assert all(row["source"] for row in rows)


def test_file_names_come_from_id_and_seconds():
    text = f'{HEADER}\n"playing violin",-a_B-,4,14,train,0\nabseiling,x,0,10,train,0\n'
    (sample,) = parse(text, "train", ["playing violin"])
    assert (sample.sample, sample.video) == ("-a_B-_000004_000014", "-a_B-_000004_000014.mp4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,id\n", "has no column youtube_id, time_start, time_end"),
        (f"{HEADER}\nbowling,x,soon,10,train,0\n", "row 2: time_start or time_end is not seconds"),
    ],
)
def test_annotations_in_another_format_are_named(text, message):
    with pytest.raises(MafnetError, match=message):
        parse(text, "train", ["bowling"])


def test_train_is_split_within_each_class_and_val_is_test():
    rows = samples(texts(), "ks32", Holdout(share=0.1))
    for label in miniatures.KINETICS_CLASSES:
        subsets = [row.subset for row in rows if row.label == label]
        assert [subsets.count(name) for name in ("train", "val", "test")] == [18, 2, 3]
    assert {row.label for row in rows} == set(miniatures.KINETICS_CLASSES)


def test_31_classes_lack_strumming_guitar():
    rows = samples(texts(), "ks31", Holdout())
    assert {row.label for row in rows} == {"bowling", "playing violin"}
    assert SOURCE.splits_with("ks31") == ["ks31"]  # features of 32 classes are not needed


def mirror(folder, videos=(b"bowl", b"violin", b"strum"), train=3, val=2):
    """Two tar files for each subset, also with clips of another class, and the annotations."""
    for subset, count in (("train", train), ("val", val)):
        files = list(miniatures.kinetics_videos(subset, count, videos).items())
        half = len(files) // 2
        for part, members in enumerate((files[:half], files[half:])):
            (folder / subset).mkdir(exist_ok=True)
            miniatures.write_tar(folder / subset / f"part_{part}.tar.gz", dict(members))
        (folder / f"{subset}.csv").write_bytes(miniatures.kinetics_csv(subset, count))
    return folder


def test_tar_files_are_filtered_to_the_classes(tmp_path):
    (tmp_path / "mirror").mkdir()
    members = collect(SOURCE, mirror(tmp_path / "mirror"), None, tmp_path / "to")
    assert len(members) == 3 * (3 + 2)
    files = sorted(path.name for path in (tmp_path / "to").glob("*.mp4"))
    assert len(files) == 15
    assert not any(name.startswith(("-t3", "-v3")) for name in files)  # abseiling
    assert (tmp_path / "to" / files[0]).read_bytes() == b"bowl"


def test_addresses_are_fetched_filtered_and_deleted_one_by_one(tmp_path):
    source, place = tmp_path / "mirror", tmp_path / "place"
    source.mkdir()
    place.mkdir()
    for path in mirror(source).glob("*.csv"):
        path.rename(place / path.name)
    addresses = [path.as_uri() for path in sorted(source.rglob("*.tar.gz"))]
    (place / "k400_train_path.txt").write_text("\n".join(addresses[:2]) + "\n")
    (place / "k400_val_path.txt").write_text("\n".join(addresses[2:]) + "\n")

    assert len(collect(SOURCE, place, None, tmp_path / "to")) == 15
    assert not list(tmp_path.rglob("to/**/*.tar.gz"))
    for path in source.rglob("*.tar.gz"):
        path.unlink()
    assert len(collect(SOURCE, place, None, tmp_path / "to")) == 15  # nothing is fetched again


def test_corrected_copy_is_used_instead_of_the_damaged_one(tmp_path):
    names = ["a/clip.mp4", "replacement_for_corrupted_k400/clip.mp4"]
    root = miniatures.write_files(tmp_path, dict.fromkeys(names, b"x"))
    (row,) = located([Sample("s", "clip.mp4", "bowling", "test")], list_videos(root), folded=False)
    assert row.video == names[1]


@pytest.mark.workflow
def test_download_by_rule_from_a_local_mirror(tmp_path, monkeypatch):
    """All files of resources/downloads.tsv, from a folder instead of the addresses."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    archives = sorted(mirror(folder).rglob("*.tar.gz"))
    for subset in ("train", "val"):
        addresses = [path.as_uri() for path in archives if path.parent.name == subset]
        (folder / f"k400_{subset}_path.txt").write_text("\n".join(addresses))
    gone = archives[0].read_bytes()
    (folder / "replacement_for_corrupted_k400.tgz").write_bytes(gone)
    monkeypatch.setenv("MAFNET_MIRROR", str(folder))
    config = write_config(
        tmp_path, {"kinetics_sounds": {"source": "kinetics_sounds", "download": True}}
    )
    done = snakemake(tmp_path, config, "data/kinetics_sounds/ks32.csv")
    assert done.returncode == 0, done.stdout
    root = tmp_path / "data/kinetics_sounds/unpacked"
    rows = read_manifest(tmp_path / "data/kinetics_sounds/ks32.csv")
    assert len(rows) == 15
    assert all((root / row.video).is_file() for row in rows)
    assert "the videos belong to their authors" in done.stdout


def test_archives_without_annotations_say_what_to_set(tmp_path):
    miniatures.write_tar(tmp_path / "part_0.tar.gz", {"./x_000000_000010.mp4": b"x"})
    with pytest.raises(MafnetError, match="name the folder of the lists"):
        collect(SOURCE, tmp_path, None, tmp_path / "to")


@pytest.mark.slow
@pytest.mark.workflow
def test_from_tar_files_to_metrics(tmp_path):
    (tmp_path / "mirror").mkdir()
    mirror(tmp_path / "mirror", miniatures.clips(tmp_path), train=4)
    missing = tmp_path / "mirror/val/part_1.tar.gz"
    missing.unlink()
    entry = {
        "source": "kinetics_sounds",
        "archive": str(tmp_path / "mirror"),
        "val_share": 0.25,
        "video": {"max_failed_fraction": 0.4},
    }
    config = write_config(tmp_path, {"kinetics_sounds": entry})
    metrics, _ = metrics_of(tmp_path, config, "kinetics_sounds")
    assert (metrics["paper"], metrics["protocol"]["name"]) == (83.94, "ks32")
    assert metrics["protocol"]["as_paper"] is None  # the paper does not state it
    assert metrics["media"]["reasons"] == {"missing": 2}
    assert metrics["runs"][0]["samples"] == 4
    rows = read_manifest(tmp_path / "data/kinetics_sounds/ks32.csv")
    count = [sum(row.subset == name for row in rows) for name in ("train", "val", "test")]
    assert count == [9, 3, 6]
    with (tmp_path / "data/kinetics_sounds/unpacked.tsv").open() as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == 4 * 3 + 4
