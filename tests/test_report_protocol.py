"""The paper's value for a result, and the notes for a comparison."""

from support import made_runs
from support.made_runs import made_run, made_test_samples

from mafnet.common.files import write_json
from mafnet.common.resources import resource
from mafnet.dataset.prepare import other_counts
from mafnet.dataset.sources import SOURCES
from mafnet.report.protocol import compared, paper_name, protocol_notes, read_protocol
from mafnet.report.statistics.runs import read_run
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
    assert other_counts(found, published) == [
        "1944 test rows instead of 1943", "6844 videos instead of 6845",
    ]  # fmt: skip


def test_every_protocol_has_its_classes_and_a_note():
    for source in SOURCES.values():
        for protocol in source.protocols.values():
            assert resource(f"classes/{protocol.classes}.txt").is_file()
            assert protocol.note


def compared_run(tmp_path, protocol, **given):
    """The protocol of a run of the variant mafnet."""
    weights = {"visual": "imagenet1k_v1", "audio": "audioset"}
    samples = made_test_samples(("cat", "dog"), 2, given.get("clips", 10))
    given = {"weights": weights, "clips": 10} | given
    folder = made_run(tmp_path / "run", samples, ("cat", "dog"), **given)
    return compared(protocol, [read_run(folder)])


def test_as_paper_needs_the_papers_clips_weights_and_backbones(tmp_path, monkeypatch):
    protocol = read_protocol("single_label", [described(tmp_path, "ave", "single_label")])
    monkeypatch.setattr(made_runs, "fingerprint", fingerprint_of_paper)
    assert compared_run(tmp_path, protocol)["as_paper"] is True
    fewer = compared_run(tmp_path, protocol, clips=3)
    assert fewer["as_paper"] is False
    assert fewer["differences"] == ["3 clips of a video; the paper has 10"]
    random = {"visual": "random", "audio": "audioset"}
    (text,) = compared_run(tmp_path, protocol, weights=random)["differences"]
    assert text == (
        "visual features of densenet201 with weights random; the paper has densenet201 with "
        "imagenet1k_v1"
    )
    assert text in protocol_notes(compared_run(tmp_path, protocol, weights=random), [], 90.86)


def fingerprint_of_paper(weights):
    backbone = "vggish" if weights == "audioset" else "densenet201"
    return {
        "backbone": backbone, "weights": weights, "weights_sha256": "0" * 64, "precision": "float32"
    }  # fmt: skip


def test_dmrns_second_row_needs_the_features_of_its_authors(tmp_path, monkeypatch):
    protocol = read_protocol("single_label", [described(tmp_path, "ave", "single_label")])
    names = {"imagenet1k_v1": "vgg19", "audioset": "vggish_pca"}
    monkeypatch.setattr(
        made_runs,
        "fingerprint",
        lambda text: fingerprint_of_paper(text) | {"backbone": names[text]},
    )
    variant = {"variant": "dmrn_vgg19"}
    assert compared_run(tmp_path, protocol, **variant)["as_paper"] is True
    monkeypatch.setattr(made_runs, "fingerprint", fingerprint_of_paper)
    differences = compared_run(tmp_path, protocol, **variant)["differences"]
    assert [text.split(" with")[0] for text in differences] == [
        "visual features of densenet201", "audio features of vggish",
    ]  # fmt: skip


def test_as_paper_needs_the_policy_that_the_papers_counts_suggest(tmp_path):
    files = [described(tmp_path, "ucf51", "split01")]
    assert read_protocol("three_splits", files, "drop")["as_paper"] is True
    found = read_protocol("three_splits", files, "zero")
    assert found["as_paper"] is False
    assert found["differences"] == [
        "video.silent is zero; the paper's number of videos suggests drop"
    ]


def test_nothing_of_own_data_differs_from_the_paper(tmp_path):
    found = compared_run(tmp_path, read_protocol("own", [], "drop"), clips=3)
    assert (found["as_paper"], found["differences"]) == (None, [])
