"""Checks of all probed videos together: equal bytes across subsets, failures before extraction."""

import json

import pytest
from support.tiny_run import METRICS

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample
from mafnet.video.media import Media
from mafnet.video.screen import MAX_NAMED, require_few_failed, screen
from mafnet.video.status import Status


def found(*rows):
    """Notes on samples given as (video, digest, label, subset)."""
    samples = [Sample(video, video, label, subset) for video, _, label, subset in rows]
    return screen({"main": samples}, [Media(video, sha256=digest) for video, digest, *_ in rows])


def test_equal_bytes_in_two_subsets_are_counted_with_an_example():
    notes = found(("a", "x", "dog", "train"), ("b", "x", "dog", "test"), ("c", "x", "dog", "test"))
    assert notes == [
        "main: 2 test video(s) have the same bytes as train videos, such as b and a",
    ]


def test_equal_bytes_with_two_labels_are_named():
    notes = found(("a", "x", "dog", "train"), ("b", "x", "cat", "train"))
    assert notes == [
        "main: a (train, dog) and b (train, cat) have the same bytes but different labels"
    ]


def test_only_a_few_pairs_are_named():
    rows = [(f"v{n}", "x", f"label{n}", "train") for n in range(5)]
    assert found(*rows)[MAX_NAMED:] == [
        "main: 5 more pairs have the same bytes but different labels"
    ]


def test_twenty_thousand_equal_files_are_not_compared_pair_by_pair():
    """Two hundred million pairs would take minutes."""
    rows = [(f"v{n:05}", "x", "ab"[n % 2], ("train", "test")[n % 2]) for n in range(20_000)]
    notes = found(*rows)
    assert notes[0] == (
        "main: 10000 test video(s) have the same bytes as train videos, such as v00001 and v00000"
    )
    assert notes[-1] == (
        f"main: {10_000**2 - MAX_NAMED} more pairs have the same bytes but different labels"
    )


def test_pairs_of_samples_of_one_video_do_not_count():
    rows = [("a", "x", "dog", "train"), ("a", "x", "cat", "train"), ("b", "x", "cat", "train")]
    assert len(found(*rows)) == 1  # only the dog of a and the cat of b
    assert found(*rows, ("a", "x", "cat", "test"))[0] == (
        "main: 1 test video(s) have the same bytes as train videos, such as a and b"
    )


def test_other_bytes_missing_files_and_rows_of_one_video_are_no_finding():
    same_video = [Sample("s1", "a", "dog", "train"), Sample("s2", "a", "cat", "train")]
    assert screen({"main": same_video}, [Media("a", sha256="x")]) == []
    assert found(("a", "x", "dog", "train"), ("b", "y", "dog", "test")) == []
    assert found(("a", "", "dog", "train"), ("b", "", "cat", "test")) == []


def test_too_many_failures_name_the_first_and_the_setting():
    rows = [Media("a"), Media("b", status=Status.MISSING)]
    require_few_failed(rows, 0.5, "birds")
    with pytest.raises(MafnetError, match=r"birds: 1 of 2 .*max_failed_fraction.*b \(missing"):
        require_few_failed(rows, 0.4, "birds")


@pytest.mark.workflow
def test_findings_are_on_the_terminal_in_the_metrics_and_in_the_page_notes(run):
    """The test video 7 gets the bytes of the training video 0, which has the other label."""
    videos = run.folder / "videos"
    (videos / "7.mp4").write_bytes((videos / "0.mp4").read_bytes())
    notes = [
        "main: 1 test video(s) have the same bytes as train videos, such as 7.mp4 and 0.mp4",
        "main: 0.mp4 (train, high) and 7.mp4 (test, low) have the same bytes but different labels",
    ]
    said = run.run(METRICS).stdout
    metrics = json.loads((run.folder / METRICS).read_text())
    for note in notes:
        assert f"tiny: {note}" in said
        assert note in metrics["notes"]


@pytest.mark.workflow
def test_videos_that_cannot_be_read_stop_a_run_before_any_extraction(run):
    for number in (1, 2):
        (run.folder / f"videos/{number}.mp4").write_bytes(b"not a video")
    said = run.run("features", succeeds=False).stdout
    assert "tiny: 2 of 8 videos failed, more than video.max_failed_fraction" in said
    assert "Extracting" not in said
