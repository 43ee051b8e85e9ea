"""Manifests from spreadsheet programs are read, or one line names the fault."""

import re

import pytest

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_manifest

EXPECTED = [
    Sample("s0", "v0.mp4", "beep", "train", (0.5, 1.25)),
    Sample("s1", "v1.mp4", "boop, loud", "val"),
    Sample("s2", "v2.mp4", "beep", "test"),
]
HEADER = ["sample", "video", "label", "subset", "event_start", "event_end"]
ROWS = [
    ["s0", "v0.mp4", "beep", "train", "0.5", "1.25"],
    ["s1", "v1.mp4", '"boop, loud"', "val", "", ""],
    ["s2", "v2.mp4", "beep", "test", "", ""],
]


def table(separator: str, end: str = "\r\n", tail: str = "") -> str:
    return "".join(separator.join(row) + tail + end for row in [HEADER, *ROWS])


@pytest.mark.parametrize(
    "text",
    [
        table(","),
        table(";"),
        table("\t"),
        table(";").replace("0.5", "0,5").replace("1.25", "1,25"),
        "sep=,\r\n" + table(","),
        "sep=;\r\n" + table(";"),
        '"sep=;"\r\n' + table(";"),
        "sep=\t\n" + table("\t", "\n"),
        table(",", tail=",,"),
        table(";", tail=";;;"),
        table(",") + ",,,,,\r\n,,,,,\r\n",
    ],
    ids=["comma", "semicolon", "tab", "decimal comma", "sep comma", "sep semicolon", "sep quoted",
         "sep tab", "empty columns", "empty columns, semicolon", "empty rows"],
)  # fmt: skip
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_dialects_of_spreadsheets(tmp_path, text, mark):
    path = tmp_path / "manifest.csv"
    path.write_bytes((mark + text).encode())
    assert read_manifest(path) == EXPECTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table("|").encode(), "no column sample, video, label, subset; the first line must name"),
        (("sep=;\r\n" + table(",")).encode(), "no column sample, video"),
        (table(",").replace("beep", "Gebrüll").encode("cp1252"), "save it as CSV UTF-8"),
        (table("\t").encode("utf-16"), "save it as CSV UTF-8"),
    ],
)
def test_other_tables_are_one_line(tmp_path, content, message):
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(MafnetError, match=rf"^{re.escape(str(path))}: [^\n]*{message}[^\n]*$"):
        read_manifest(path)


def test_rows_keep_the_line_numbers_of_the_file(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("sep=;\n\n" + table(";", "\n") + "\ns3;v3.mp4;beep;trian;;\n")
    with pytest.raises(MafnetError, match=r"row 8: subset 'trian'"):
        read_manifest(path)


def test_a_value_in_a_column_without_a_name_is_a_fault(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("sample,video,label,subset,\na,a.mp4,A,train,forgotten\n")
    with pytest.raises(MafnetError, match=r"row 2: has more or fewer fields"):
        read_manifest(path)
