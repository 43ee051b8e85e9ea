"""`mafnet check`: expected, existing, missing and surplus videos of incomplete miniatures."""

import csv

import pytest
import yaml
from support import miniatures
from support.miniature_runs import ROOT, mafnet, write_config

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import read_manifest
from mafnet.plan.config import check_config, merge, read_config


def config_of(place, name, **entry):
    return write_config(place, {name: {"source": name} | entry})


@pytest.fixture
def ave(tmp_path):
    """AVE with two missing videos and one that is in no list."""
    files = miniatures.ave_files([b"a", b"b", b"c"])
    for name in ("church1", "-fry3"):
        del files[f"AVE/AVE/{name}.mp4"]
    files["AVE/AVE/stranger.mp4"] = b"s"
    folder = miniatures.write_files(tmp_path / "ave", files)
    return config_of(tmp_path, "ave", folder=str(folder), video={"max_failed_fraction": 0.2})


def test_missing_videos_are_named_and_counted(ave, tmp_path):
    done = mafnet(tmp_path, "check", "ave", "--configfile", ave, "--output", "all.tsv")
    assert done.returncode == 0, done.stderr
    assert "protocol single_label: videos with several labels are left out" in done.stdout
    assert "splits shown in metrics.json: single_label; made: single_label, official" in done.stdout
    assert "11 of 13 videos exist" in done.stdout
    assert (
        "13 files for 15 rows: a row is a sample, a video may have several labels (2 have 2 rows)"
        in done.stdout
    )
    assert "missing: 2\n  AVE/AVE/-fry3.mp4\n  AVE/AVE/church1.mp4" in done.stdout
    assert "surplus: 1\n  AVE/AVE/stranger.mp4" in done.stdout
    assert "note: official: 1 test videos are also in train, with another label" in done.stdout
    assert "note: official: 8 train rows, 3,339 expected" in done.stdout
    with (tmp_path / "all.tsv").open() as file:
        rows = {row["video"]: row["status"] for row in csv.DictReader(file, delimiter="\t")}
    assert (rows["AVE/AVE/-fry3.mp4"], rows["AVE/AVE/stranger.mp4"]) == ("missing", "surplus")
    assert list(rows.values()).count("ok") == 11


def test_a_surplus_file_whose_name_is_not_utf8_keeps_its_bytes(ave, tmp_path):
    (tmp_path / "ave/AVE/AVE/\udcff.mp4").write_bytes(b"s")
    done = mafnet(tmp_path, "check", "ave", "--configfile", ave, "--output", "all.tsv")
    assert done.returncode == 0, done.stderr
    assert b"AVE/AVE/\xff.mp4\tsurplus\n" in (tmp_path / "all.tsv").read_bytes()


def test_columns_are_expected_rows_videos_missing(ave, tmp_path):
    said = mafnet(tmp_path, "check", "ave", "--configfile", ave).stdout
    lines = [line.split() for line in said.splitlines()]
    assert ["official", "train", "3,339", "8", "7", "1"] in lines
    assert ["single_label", "test", "394", "3", "3", "1"] in lines
    assert ["Church", "bell", "4", "3", "1"] in lines


def test_too_many_missing_is_status_1(ave, tmp_path):
    strict = tmp_path / "strict.yaml"
    strict.write_text("datasets: {ave: {video: {max_failed_fraction: 0.05}}}")
    done = mafnet(tmp_path, "check", "ave", "--configfile", ave, "--configfile", strict)
    assert done.returncode == 1
    assert "2 of 13 videos are missing, more than video.max_failed_fraction = 0.05" in done.stderr


def test_archive_that_is_not_unpacked_names_the_command(tmp_path):
    (tmp_path / "AVE_Dataset.zip").write_bytes(b"")
    config = config_of(tmp_path, "ave", archive="AVE_Dataset.zip")
    done = mafnet(tmp_path, "check", "ave", "--configfile", config)
    assert done.returncode == 1
    assert "snakemake --cores all data/ave/unpacked.tsv" in done.stderr


def test_kinetics_class_by_class(tmp_path):
    files = miniatures.kinetics_videos("train", 4, [b"a", b"b", b"c"])
    del files["./-t10_id_000000_000010.mp4"]  # a clip of playing violin
    files |= {f"{name}.csv": miniatures.kinetics_csv(name, 4) for name in ("train", "val")}
    folder = miniatures.write_files(tmp_path / "k400", files)
    config = config_of(tmp_path, "kinetics_sounds", folder=str(folder))
    done = mafnet(tmp_path, "check", "kinetics_sounds", "--configfile", config)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["playing", "violin", "8", "3", "5"] in lines
    assert ["bowling", "8", "4", "4"] in lines
    assert "not in the lists" in done.stdout  # 29 classes that are not in the miniature
    assert done.returncode == 1  # all of val is missing


def test_ucf51_shows_the_published_counts(tmp_path):
    files = miniatures.ucf_videos([b"a", b"b", b"c"], b"d") | miniatures.ucf_lists()
    folder = miniatures.write_files(tmp_path / "ucf", files)
    config = config_of(tmp_path, "ucf51", folder=str(folder))
    done = mafnet(tmp_path, "check", "ucf51", "--configfile", config)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["split01", "train+val", "4,901", "12", "12", "0"] in lines
    assert ["split03", "test", "1,900", "3", "3", "0"] in lines
    assert "surplus: 1\n  UCF-101/Basketball/v_Basketball_g01_c01.avi" in done.stdout


def test_own_manifest(tmp_path):
    (tmp_path / "own.csv").write_text(
        "sample,video,label,subset\na,a.mp4,A,train\nb,b.mp4,B,test\n"
    )
    (tmp_path / "a.mp4").write_bytes(b"a")
    entry = {"root": str(tmp_path), "splits": {"main": str(tmp_path / "own.csv")}}
    config = write_config(tmp_path, {"mine": entry})
    done = mafnet(tmp_path, "check", "mine", "--configfile", config)
    assert "1 of 2 videos exist" in done.stdout
    assert "missing: 1\n  b.mp4" in done.stdout


def test_unknown_data_set_is_one_line(tmp_path):
    done = mafnet(tmp_path, "check", "avee")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "mafnet check: avee is not in the config's datasets; did you mean ave?"
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": "ave", "archive": "a", "folder": "b"}, "only one of `archive`, `folder`"),
        (
            {"source": "demo", "archive": "a"},
            "archive: does not go with `source: demo`",
        ),
        (
            {"root": "r", "splits": {"main": "m"}, "protocol": "x"},
            "does not go with a data set without",
        ),
        ({"source": "ave", "folder": "b", "protocol": "ks32"}, "'ks32' is not one of ave's"),
        ({"source": "ave", "folder": "b", "foldr": "c"}, "foldr: is unknown; did you mean folder?"),
        ({"source": "ucf51", "folder": "b", "val_share": 1.5}, "val_share"),
    ],
)
def test_wrong_entries_are_named(entry, message):
    base = yaml.safe_load((ROOT / "config.yaml").read_text())
    config = merge(base, {"datasets": {"mine": entry}})
    with pytest.raises(MafnetError, match=message.replace("?", r"\?")):
        check_config(config)


def test_example_of_docs_is_a_manifest(tmp_path):
    text = (ROOT / "docs/datasets.md").read_text()
    (tmp_path / "manifest.csv").write_text(text.split("```csv\n")[1].split("```")[0])
    rows = read_manifest(tmp_path / "manifest.csv")
    assert {row.subset for row in rows} == {"train", "val", "test"}


def test_entries_of_docs_are_valid(tmp_path):
    blocks = (ROOT / "docs/datasets.md").read_text().split("```yaml\n")[1:]
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block.split("```")[0])
        read_config([path])
    assert len(blocks) == 4


def test_the_entry_of_own_videos_that_config_yaml_shows_is_valid(tmp_path):
    """The commented entry, without its comment signs."""
    lines = (ROOT / "config.yaml").read_text().splitlines()
    start = lines.index("  # mine:")
    shown = yaml.safe_load("\n".join(line[4:] for line in lines[start : lines.index("", start)]))
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"datasets": shown}))
    entries = read_config([path])["datasets"]
    assert set(entries) == {"demo", "ave", "ucf51", "kinetics_sounds", "mine"}


AVE = miniatures.ave_files([b"a", b"b", b"c"])
UCF = miniatures.ucf_videos([b"a", b"b", b"c"], b"d") | miniatures.ucf_lists()


@pytest.mark.parametrize(
    ("dataset", "files", "there"),
    [
        ("ave", {f"AVE_Dataset/{name}": data for name, data in AVE.items()}, "13 of 13"),
        ("ucf51", {f"UCF-101/{name}": data for name, data in UCF.items()}, "15 of 15"),
    ],
)
def test_files_in_the_conventional_folder_are_found(tmp_path, dataset, files, there):
    assert "fetch" in mafnet(tmp_path, "check", dataset).stderr
    miniatures.write_files(tmp_path / "data" / dataset, files)
    assert f"{there} videos exist" in mafnet(tmp_path, "check", dataset).stdout
