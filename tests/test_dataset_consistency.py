"""Well-formed manifests that no run can use are refused before any work."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from support import miniatures
from support.miniature_runs import ROOT, mafnet, snakemake, write_config

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import read_classes, read_manifest

HEADER = "sample,video,label,subset"
ROWS = [
    f"s{number},v{number}.mp4,{'beep' if number % 2 else 'boop'},{subset}"
    for number, subset in enumerate(("train", "train", "val", "val", "test", "test"))
]


def own(folder, rows, **entry):
    """A config with a data set of these rows; its six videos exist."""
    (folder / "clips").mkdir()
    for number in range(6):
        (folder / "clips" / f"v{number}.mp4").write_bytes(b"v")
    (folder / "own.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    entry = {"root": str(folder / "clips"), "splits": {"main": str(folder / "own.csv")}} | entry
    return write_config(folder, {"mine": entry})


def replaced(old, new):
    return [row.replace(old, new) for row in ROWS]


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("label", "Gebr\u00fcll", "Gebru\u0308ll"),
        ("label", "beep", "Beep"),
        ("label", "straße", "STRASSE"),
        ("sample", "s0", "S0"),
        ("sample", "caf\u00e9", "cafe\u0301"),
    ],
)
def test_names_that_look_the_same_are_refused(tmp_path, column, one, other):
    rows = [("a", one), ("b", other)] if column == "label" else [(one, "x"), (other, "x")]
    path = tmp_path / "m.csv"
    lines = [f"{name},{i}.mp4,{label},train" for i, (name, label) in enumerate(rows)]
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    with pytest.raises(MafnetError) as caught:
        read_manifest(path)
    message = str(caught.value)
    assert f"row 3: {column} {other!r}" in message
    assert f"{one!r}" in message
    assert ascii(one) in message
    assert ascii(other) in message


@pytest.mark.parametrize("character", "\u200b\u200d\u202e\u2066\ufeff\u00ad")
@pytest.mark.parametrize("row", ["a{}b,x.mp4,cat,train", "a,x.mp4,c{}at,train"])
def test_invisible_characters_in_names_are_refused(tmp_path, character, row):
    path = tmp_path / "m.csv"
    path.write_text(f"{HEADER}\n{row.format(character)}\n", encoding="utf-8")
    with pytest.raises(MafnetError, match=r"row 2: .* invisible character; remove it"):
        read_manifest(path)


def test_classes_that_look_the_same_are_refused(tmp_path):
    (tmp_path / "classes.txt").write_text("beep\nboop\nBeep\n")
    with pytest.raises(MafnetError, match="the classes 'Beep' and 'beep' look the same"):
        read_classes(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (replaced("boop", "beep"), "all training samples have the label 'beep'"),
        (ROWS[:4], "no usable sample in subset test"),
        (ROWS[:2] + ROWS[4:], "no usable sample in subset val"),
        (ROWS[2:], "no usable sample in subset train"),
        ([*ROWS[:5], "s5,v5.mp4,new,test"], "no training sample of class 'new'"),
        (replaced("v1.mp4", "v1.mp4 "), "'v1.mp4 ' does not exist; did you mean 'v1.mp4'?"),
        (replaced("v1.mp4", "V1.MP4"), "'V1.MP4' does not exist; did you mean 'v1.mp4'?"),
        (replaced("v1.mp4", "/elsewhere/v1.mp4"), "is outside the data set's root"),
    ],
)
def test_check_and_a_dry_run_report_the_same(tmp_path, rows, message):
    config = own(tmp_path, rows)
    checked = mafnet(tmp_path, "check", "mine", "--configfile", config)
    assert checked.returncode == 1
    assert message in checked.stderr
    dry = snakemake(tmp_path, config, "-n", "results/mine/metrics.json")
    assert dry.returncode == 1
    assert message in dry.stdout
    assert "Traceback" not in dry.stdout + checked.stderr


def test_slash_and_unicode_form_of_a_path(tmp_path):
    config = own(tmp_path, replaced("v1.mp4", "sub\\gr\u00f6\u00dfe.mp4"))
    (tmp_path / "clips/sub").mkdir()
    (tmp_path / "clips/sub/gro\u0308\u00dfe.mp4").write_bytes(b"v")
    checked = mafnet(tmp_path, "check", "mine", "--configfile", config)
    expected = r"did you mean 'sub/größe.mp4' ('sub/gro\u0308\xdfe.mp4')?"
    assert expected.replace("ö", "o\u0308") in checked.stderr


def test_untrained_classes_and_absolute_paths_can_be_allowed(tmp_path):
    rows = replaced("v1.mp4", str(tmp_path / "clips/v1.mp4"))
    rows[5] = "s5,v5.mp4,new,test"
    config = own(tmp_path, rows, allow_untrained_classes=True)
    checked = mafnet(tmp_path, "check", "mine", "--configfile", config)
    assert checked.returncode == 0, checked.stderr
    assert "missing: none" in checked.stdout
    assert "surplus: none" in checked.stdout
    dry = snakemake(tmp_path, config, "-n", "results/mine/metrics.json")
    assert dry.returncode == 0, dry.stdout


def test_a_demo_that_cannot_be_made_is_refused_before_any_job(tmp_path):
    config = write_config(tmp_path, {"tiny": {"source": "demo"}}, video={"clips": 1})
    dry = snakemake(tmp_path, config, "-n", "results/tiny/metrics.json")
    assert dry.returncode == 1
    assert "datasets.tiny: the shortest videos have 1 seconds; an event needs" in dry.stdout


def test_a_wrong_root_is_named(tmp_path):
    config = own(tmp_path, ROWS, root=str(tmp_path / "clpis"))
    checked = mafnet(tmp_path, "check", "mine", "--configfile", config)
    assert checked.returncode == 1
    assert "clpis is not a folder; give the folder of the videos" in checked.stderr


def test_the_command_that_unpacks_works_as_printed(tmp_path):
    archive = tmp_path / "my archive.zip"
    lists = miniatures.write_files(tmp_path / "lists", miniatures.ave_files([b"a", b"b", b"c"]))
    miniatures.write_zip(archive, miniatures.ave_files([b"a", b"b", b"c"]))
    entry = {"source": "ave", "archive": str(archive), "lists": str(lists)}
    config = write_config(tmp_path, {"ave": entry})
    checked = mafnet(tmp_path, "check", "ave", "--configfile", config)
    assert checked.returncode == 1
    assert "missing" not in checked.stderr
    command = re.search(r"`(.*)`", checked.stderr)[1]
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert mafnet(tmp_path, "check", "ave", "--configfile", config).returncode == 0


def test_the_command_that_makes_the_demo_can_be_planned_as_printed(tmp_path):
    (tmp_path / "my.yaml").write_text("datasets: {small: {source: demo}}")
    checked = mafnet(tmp_path, "check", "small", "--configfile", "my.yaml")
    assert checked.returncode == 1
    command = re.search(r"`(.*)`", checked.stderr)[1]
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command), "-n"], cwd=tmp_path, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^demo +1$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"archive": "no.zip"}, "datasets.mine.archive: no.zip does not exist; fix the path"),
        ({"folder": "no"}, "datasets.mine.folder: no is not a folder; fix the path"),
        ({"folder": ".", "lists": "no"}, "datasets.mine.lists: no does not exist; fix the path"),
        ({"folder": "."}, ".: does not contain trainSet.txt, valSet.txt, testSet.txt; name"),
    ],
)
def test_wrong_paths_of_a_published_data_set_are_one_line(tmp_path, entry, message):
    config = write_config(tmp_path, {"mine": {"source": "ave"} | entry})
    checked = mafnet(tmp_path, "check", "mine", "--configfile", config)
    assert f"mafnet check: {message}" in checked.stderr
    for mode in (("-n",), ())[: 1 + ("folder" in message)]:
        planned = snakemake(tmp_path, config, "results/mine/metrics.json", *mode)
        assert planned.returncode == 1
        assert planned.stdout.strip().splitlines()[-1].startswith(f"mafnet: {message}")


def test_the_key_is_in_the_schema():
    text = (ROOT / "workflow/schemas/config.schema.yaml").read_text()
    assert "allow_untrained_classes" in str(yaml.safe_load(text))
