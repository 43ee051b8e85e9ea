"""The media table states for every video whether it is used, and the reason if not."""

import io

import pytest
from rich.console import Console

from mafnet.common.errors import MafnetError
from mafnet.features.media_table import media_counts, merge_media, outcome_table, usable
from mafnet.features.shard_report import Extracted
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media


def merged(probed, visual, audio, **settings):
    return merge_media(probed, {"visual": visual, "audio": audio}, VideoSettings(**settings))


def row(video="a.mp4", **fields):
    return Media(video, **{"sha256": "0" * 64, "audio_codec": "aac", **fields})


def seen(video="a.mp4", clips=10, status="ok", warnings=(), error="", error_lines=0, lost_frames=0):
    return Extracted(video, "0" * 64, clips, status, warnings, error, error_lines, lost_frames)


def test_rows_are_sorted_and_none_is_lost():
    probed = [row("c"), row("a"), row("b", status="unreadable")]
    found = merged(probed, [seen("a"), seen("c")], [seen("c"), seen("a")])
    assert [(media.video, media.status) for media in found] == [
        ("a", "ok"), ("b", "unreadable"), ("c", "ok")
    ]  # fmt: skip


def test_warnings_and_messages_of_all_steps_are_kept_once():
    (found,) = merged(
        [row(warnings=("p",), error="said", error_lines=1)],
        [seen(warnings=("v", "both"), error="said", error_lines=2)],
        [seen(warnings=("both", "a"), error="more", error_lines=3)],
    )
    assert found.ok
    assert found.warnings == ("p", "v", "both", "a")
    assert (found.error, found.error_lines) == ("said; more", 6)


def test_first_failure_counts():
    visual = [seen(clips=0, status="undecodable", error="first")]
    (found,) = merged([row()], visual, [seen(clips=0, status="timeout")])
    assert (found.status, found.error) == ("undecodable", "first")
    (found,) = merged([row(status="empty")], visual, [])
    assert found.status == "empty"


@pytest.mark.parametrize(
    ("policy", "status", "kept"),
    [("zero", "ok", 1), ("drop", "dropped", 0), ("fail", "no_audio", 0)],
)
def test_policies_for_videos_without_audio(policy, status, kept):
    found = merged(
        [row(), row("b")], [seen(), seen("b")], [seen(clips=0), seen("b")], silent=policy
    )
    assert found[0].status == status
    assert ("no_audio" in found[0].warnings) == (policy == "zero")
    assert bool(found[0].error) == (policy != "zero")
    assert found[1] == row("b")
    assert len(usable(found, 0.5, "media.tsv")) == 1 + kept


def test_lost_clips_and_lost_frames_are_damage_but_error_lines_are_not():
    ten = {"video_duration_seconds": 10.0, "audio_duration_seconds": 10.0}
    limits = {"max_lost_fraction": 0.5}
    # 300 packets in 20 s: 150 of them in the ten clips.
    twenty = {"video_packets": 300, "video_duration_seconds": 20.0}
    (half,) = merged([row(**ten)], [seen(clips=5)], [seen()], **limits)
    (less,) = merged([row(**ten)], [seen(clips=4)], [seen()], **limits)
    (loud,) = merged([row()], [seen(error_lines=1500)], [seen()], **limits)
    (few,) = merged([row(**twenty)], [seen(lost_frames=75)], [seen()], **limits)
    (many,) = merged([row(**twenty)], [seen(lost_frames=76)], [seen()], **limits)
    assert [half.status, less.status, loud.status] == ["ok", "damaged", "ok"]
    assert [few.status, many.status] == ["ok", "damaged"]
    assert "60% of the visual clips are lost" in less.error
    assert "51% of the visual frames are lost or corrupt" in many.error


def test_extraction_of_an_unknown_video_is_one_line():
    with pytest.raises(MafnetError, match=r"^b\.mp4: is extracted but not probed"):
        merged([row()], [seen("b.mp4")], [])


def test_counts_and_reasons():
    media = [
        row("a"),
        row("b", warnings=("short_audio",)),
        row("c", warnings=("short_audio", "no_audio")),
        row("d", status="dropped", warnings=("no_audio",)),
        row("e", status="missing"),
        row("f", status="missing", warnings=("odd",)),
    ]
    assert media_counts(media) == {
        "ok": 1, "warned": 2, "dropped": 1, "failed": 2,
        "reasons": {"dropped": 1, "missing": 2, "no_audio": 1, "short_audio": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("failed", "limit", "stops"),
    [(0, 0, False), (1, 0, True), (1, 0.1, False), (2, 0.1, True), (10, 1, False)],
)
def test_too_many_failures_stop_the_run(failed, limit, stops):
    media = [row(f"{n}", status="missing" if n < failed else "ok", error="gone") for n in range(10)]
    if stops:
        with pytest.raises(MafnetError, match=rf"{failed} of 10 videos failed.* the first is 0 "):
            usable(media, limit, "media.tsv")
    else:
        assert len(usable(media, limit, "media.tsv")) == 10 - failed


def test_dropped_videos_are_not_failures():
    media = [row("a"), row("b", status="dropped")]
    assert usable(media, 0, "media.tsv") == media[:1]


def test_table_shows_names_unchanged():
    media = [row("[red]a\x1b[2J.mp4", status="missing"), row("b")]
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(outcome_table(media, "videos of [x]"))
    text = console.export_text()
    assert "[red]a" in text
    assert "\x1b" not in text
    assert "videos of [x]" in text
