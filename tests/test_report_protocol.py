"""The paper's value for a result, and the notes for a comparison."""

from mafnet.common.files import write_json
from mafnet.common.resources import resource
from mafnet.dataset.prepare import deviations
from mafnet.dataset.sources import SOURCES
from mafnet.report.protocol import paper_name, protocol_notes, read_protocol
from mafnet.report.statistics.summary import paper_value


def described(tmp_path, source, split, **more):
    path = tmp_path / f"{split}.json"
    entry = {"source": source, "split": split, "notes": [], "missing_videos": 0, "videos": 9}
    write_json(entry | more, path)
    return path


def test_entry_of_another_name_is_compared_with_its_source(tmp_path):
    protocol = read_protocol("official", [described(tmp_path, "ave", "official")])
    assert paper_name("ave_all_rows", protocol) == "ave"
    assert paper_value(resource("paper.tsv"), "ave", "mafnet") == 90.86


def test_own_data_has_no_protocol_of_the_paper():
    protocol = read_protocol("own", [])
    assert paper_name("mine", protocol) == "mine"
    assert protocol_notes(protocol, [], None) == []


def test_notes_on_protocol_random_weights_and_missing_videos(tmp_path):
    path = described(
        tmp_path, "ave", "official", notes=["8 test videos are also in train"], missing_videos=3
    )
    notes = protocol_notes(read_protocol("official", [path]), ["visual"], 90.86)
    assert notes[0] == (
        "the visual backbone has RANDOM weights: the numbers say nothing about real networks"
    )
    assert notes[1] == "protocol official differs from the paper's protocol"
    assert notes[-2:] == [
        "official: 8 test videos are also in train", "official: 3 of 9 videos are missing",
    ]  # fmt: skip


def test_protocol_of_the_paper_is_not_called_different(tmp_path):
    protocol = read_protocol("single_label", [described(tmp_path, "ave", "single_label")])
    assert not any("differs" in note for note in protocol_notes(protocol, [], 90.86))


def test_counts_that_differ_from_the_published_ones_are_listed():
    found = {"rows": {"train": 4000, "val": 901, "test": 1944, "all": 6845}, "videos": 6844}
    published = [
        {"subset": "train+val", "unit": "rows", "count": 4901},
        {"subset": "test", "unit": "rows", "count": 1943},
        {"subset": "all", "unit": "videos", "count": 6845},
    ]
    assert deviations(found, published) == [
        "1944 test rows instead of 1943", "6844 videos instead of 6845",
    ]  # fmt: skip


def test_every_protocol_has_its_classes_and_a_note():
    for source in SOURCES.values():
        for protocol in source.protocols.values():
            assert resource(f"classes/{protocol.classes}.txt").is_file()
            assert protocol.note
