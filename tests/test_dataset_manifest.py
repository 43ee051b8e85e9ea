"""Manifests are read as they were written, or every wrong row is named."""

import csv
import os
import re
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import (
    MAX_SHOWN,
    SUBSETS,
    Sample,
    calibration_videos,
    read_classes,
    read_manifest,
    require_subsets,
    write_manifest,
)
from mafnet.dataset.names import folded

GOOD = "sample,video,label,subset\na,x.mp4,cat,train\nb,y.mp4,dog,val\n"

# The file is written again for every example.
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda text: text == text.strip())
parts = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/\0"), min_size=1, max_size=8
).filter(lambda part: part not in (".", ".."))
videos = st.lists(parts, min_size=1, max_size=3).map("/".join).filter(lambda path: path.strip())
seconds = st.floats(0, 1e6)
events = st.none() | st.tuples(seconds, seconds).filter(lambda pair: pair[0] < pair[1])


@st.composite
def manifests(draw):
    """Valid samples: names are unique, and a video is in one subset."""
    names = draw(st.lists(texts, min_size=1, max_size=6, unique_by=folded))
    labels = draw(st.lists(texts, min_size=1, max_size=3, unique_by=folded))
    subset = draw(st.dictionaries(videos, st.sampled_from(SUBSETS), min_size=1, max_size=4))
    chosen = [draw(st.sampled_from(sorted(subset))) for _ in names]
    return [
        Sample(name, video, draw(st.sampled_from(labels)), subset[video], draw(events))
        for name, video in zip(names, chosen, strict=True)
    ]


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    return path


def faults(tmp_path, rows, header="sample,video,label,subset", classes=()):
    """The lines of the error after the first, for a manifest of these rows."""
    path = write(tmp_path, "\n".join([header, *rows, ""]))
    with pytest.raises(MafnetError) as caught:
        read_manifest(path, classes)
    first, *lines = str(caught.value).splitlines()
    assert re.match(re.escape(str(path)) + rf": {len(lines)} faults; ", first)
    return [line.strip() for line in lines]


@same_folder
@given(manifests())
def test_what_is_read_is_what_was_written(tmp_path, samples):
    write_manifest(samples, tmp_path / "manifest.csv")
    assert read_manifest(tmp_path / "manifest.csv") == samples


@same_folder
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (GOOD + text).encode()))
def test_any_bytes_give_samples_or_one_error(tmp_path, content):
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with suppress(MafnetError):
        samples = read_manifest(path)
        assert all(sample.subset in SUBSETS and sample.video for sample in samples)


fields = st.sampled_from(
    ["a", "b", "", " ", "train", "val", "x.mp4", "../x", "/x", "y.mp4", "x\n", '"', "1", "-1"]
)


@same_folder
@given(st.lists(st.lists(fields, min_size=3, max_size=7).filter(any), max_size=6))
def test_every_bad_row_is_named_and_no_other(tmp_path, rows):
    """A row is bad exactly if it is refused alone or together with an earlier row."""
    header = ["sample", "video", "label", "subset", "event_start", "event_end"]
    path = tmp_path / "manifest.csv"

    def refused(chosen):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *chosen])
        try:
            read_manifest(path)
        except MafnetError as error:
            return str(error)
        return ""

    text = refused(rows)
    alone = [bool(refused([row])) for row in rows]
    pairs = any(refused([a, b]) for i, a in enumerate(rows) for b in rows[i + 1 :])
    assert bool(text) == (not rows or any(alone) or pairs)
    assert len(set(re.findall(r"^  row (\d+):", text, re.M))) >= sum(alone)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.rstrip("\n"),
        GOOD.replace("b,y", "\n\nb,y"),
        'subset,note,label,video,sample\ntrain,"a, b",cat,x.mp4,a\nval,,dog,"y.mp4",b\n',
    ],
    ids=["plain", "CRLF", "BOM", "no last newline", "blank lines", "quoted, other columns"],
)
def test_different_notations_of_the_same_manifest(tmp_path, text):
    expected = [Sample("a", "x.mp4", "cat", "train"), Sample("b", "y.mp4", "dog", "val")]
    assert read_manifest(write(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",x.mp4,cat,train", "sample is empty"),
        ("a, ,cat,train", "video is empty"),
        ("a,x.mp4,,train", "label is empty"),
        ("a,x.mp4,cat,", "subset is empty"),
        ("a,x.mp4,cat,Train", "subset 'Train' is not one of train, val, test"),
        ("a,x.mp4,cow,train", "label 'cow' is not in the list of classes"),
        ("a,../x.mp4,cat,train", "outside the data set's root"),
        ("a,b/../../x.mp4,cat,train", "outside the data set's root"),
        ("a,b//x.mp4,cat,train", "write it as 'b/x.mp4'"),
        ("a,./x.mp4,cat,train", "write it as 'x.mp4'"),
        ("a,x.mp4,cat", "more or fewer fields"),
        ("a,x.mp4,cat,train,more", "more or fewer fields"),
        ("a\x1b[2J,x.mp4,cat,train", "control character"),
        ('"a\nb",x.mp4,cat,train', "control character"),
        (" a,x.mp4,cat,train", "begins or ends with a blank"),
    ],
)
def test_a_bad_row_says_what_is_wrong(tmp_path, row, fault):
    (line,) = faults(tmp_path, ["ok,ok.mp4,cat,test", row], classes=["cat", "dog"])
    assert re.match(rf"row {4 if chr(10) in row else 3}: ", line)
    assert fault in line


@pytest.mark.parametrize(
    "event", ["1,", ",2", "2,1", "1,1", "-1,2", "a,b", "nan,2", "1,nan", "1,inf"]
)
def test_an_event_is_an_interval(tmp_path, event):
    header = "sample,video,label,subset,event_start,event_end"
    (line,) = faults(tmp_path, [f"a,x.mp4,cat,train,{event}"], header)
    assert line == "row 2: event_start and event_end are not seconds with start < end"


def test_all_faults_of_all_rows_are_reported_at_once(tmp_path):
    rows = ["a,x.mp4,cat,train", "a,../x.mp4,,trian", "c,x.mp4,cat,test"]
    lines = faults(tmp_path, rows)
    assert [line.split(":")[0] for line in lines] == ["row 3", "row 3", "row 3", "row 3", "row 4"]
    assert "row 3: sample 'a' is already in row 2" in lines
    assert "row 4: video 'x.mp4' is in subset test here and in train in row 2" in lines


def test_a_video_in_two_subsets_is_declared_or_refused(tmp_path):
    header = "sample,video,label,subset,also_in"
    rows = ["a,x.mp4,cat,train,test", "b,x.mp4,dog,test,train"]
    samples = read_manifest(write(tmp_path, "\n".join([header, *rows])))
    assert [sample.also_in for sample in samples] == [("test",), ("train",)]
    write_manifest(samples, tmp_path / "again.csv")
    assert read_manifest(tmp_path / "again.csv") == samples
    (line,) = faults(tmp_path, [rows[0], "b,x.mp4,dog,test,"], header)
    assert line.startswith("row 3: video 'x.mp4' is in subset test here and in train")


def test_many_faults_are_counted(tmp_path):
    path = write(tmp_path, "sample,video,label,subset\n" + "a,,,\n" * 100)
    with pytest.raises(MafnetError) as caught:
        read_manifest(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == MAX_SHOWN + 2
    total = 100 * 3 + 99  # three empty fields in each row, and a repeated name
    assert (lines[0], lines[-1]) == (
        f"{path}: {total} faults; fix these rows:", f"  and {total - MAX_SHOWN} more"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column sample, video, label, subset"),
        (b"sample,video,label\n", "no column subset"),
        (b"sample,video,label,subset\n", "has no rows"),
        (b"sample,video,label,subset,label\na,x,c,train,d\n", "names a column twice"),
        (b"\xff\xfe\x00", "cannot be read as a UTF-8 CSV"),
        (b'sample,video,label,subset\n"a,x,c,train\n', "cannot be read as a UTF-8 CSV"),
    ],
)
def test_a_file_that_is_not_a_manifest_is_one_line(tmp_path, content, says):
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(MafnetError, match=says) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, says in (("fifo", "is not a file"), ("", "is not a file"), ("no", "No such file")):
        with pytest.raises(MafnetError, match=says):
            read_manifest(tmp_path / name)


def test_list_of_classes(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\ufeffcat\n\nbig dog\n", encoding="utf-8")
    assert read_classes(path) == ["cat", "big dog"]
    for content in (b"", b"\n \n", b"cat\ndog\ncat\n", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(MafnetError, match=re.escape(str(path))):
            read_classes(path)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("cat\nd\u200bog\n", "class 'd\\u200bog' contains a control character"),
        ("cat\n\u202edog\n", "invisible character; remove it"),
        ("cat\n dog\n", "class ' dog' begins or ends with a blank"),
        ("Cat\ncat\n", "look the same"),
        ("stra\u00dfe\nSTRASSE\n", "look the same"),
        ("caf\u00e9\ncafe\u0301\n", "look the same"),
    ],
)
def test_names_of_classes_are_checked_as_labels_are(tmp_path, classes, message):
    path = tmp_path / "classes.txt"
    path.write_text(classes)
    with pytest.raises(MafnetError) as caught:
        read_classes(path)
    assert message in str(caught.value)


def test_calibration_uses_the_first_training_videos(tmp_path):
    rows = ["a,1.mp4,c,val", "b,3.mp4,c,train", "c,2.mp4,c,train", "d,3.mp4,e,train"]
    path = write(tmp_path, "\n".join(["sample,video,label,subset", *rows, "e,4.mp4,c,train"]))
    assert calibration_videos(path, 2) == ["3.mp4", "2.mp4"]
    assert calibration_videos(path, 9) == ["3.mp4", "2.mp4", "4.mp4"]


def test_missing_subsets_are_named():
    samples = [Sample("a", "x", "c", "train")]
    require_subsets(samples, ["train"], "m.csv")
    with pytest.raises(MafnetError, match=r"^m\.csv: no usable sample in subset val and test;"):
        require_subsets(samples, SUBSETS, "m.csv")


GROUPED = "sample,video,label,subset,group,also_in"


def test_groups_come_back_and_default_to_the_video(tmp_path):
    rows = ["a,x.mp4,cat,train,r1,", "b,y.mp4,dog,train,r1,", "c,z.mp4,dog,test,,"]
    samples = read_manifest(write(tmp_path, "\n".join([GROUPED, *rows])))
    assert [sample.group for sample in samples] == ["r1", "r1", ""]
    assert [sample.cluster for sample in samples] == ["r1", "r1", "z.mp4"]
    write_manifest(samples, tmp_path / "again.csv")
    assert read_manifest(tmp_path / "again.csv") == samples


def test_a_group_in_two_subsets_is_declared_or_refused(tmp_path):
    rows = ["a,x.mp4,cat,train,r1,", "b,y.mp4,dog,test,r1,"]
    (line,) = faults(tmp_path, rows, GROUPED)
    assert line == "row 3: group 'r1' is in subset test here and in train in row 2"
    declared = ["a,x.mp4,cat,train,r1,test", "b,y.mp4,dog,test,r1,train"]
    read_manifest(write(tmp_path, "\n".join([GROUPED, *declared])))


def test_a_video_has_one_group_and_groups_do_not_look_the_same(tmp_path):
    (line,) = faults(tmp_path, ["a,x.mp4,cat,train,r1,", "b,x.mp4,dog,train,r2,"], GROUPED)
    assert line == "row 3: video 'x.mp4' has group 'r2' here and 'r1' in row 2"
    (line,) = faults(tmp_path, ["a,x.mp4,cat,train,r1,", "b,y.mp4,dog,train,R1,"], GROUPED)
    assert "group" in line
    assert "looks like" in line
