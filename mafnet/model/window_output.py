"""The segments of recordings as a table, JSON, CSV and WebVTT."""

import csv
import html
import io
import json
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from mafnet.common.terminal import printable
from mafnet.features.videos import FailedVideo
from mafnet.model.predictions import DIGITS
from mafnet.model.segments import Segment

Found = Mapping[str, Sequence[Segment] | FailedVideo]
"""The segments of each recording, or why it failed."""

COLUMNS = ("video", "status", "error", "start", "end", "label", "score")
VTT_HEAD = "WEBVTT\n"


def segments_table(found: Found, notes: Sequence[str]) -> Table:
    """A row for each segment; notes are sentences below the table."""
    table = Table("video", "start", "end", "label", caption="\n".join(notes))
    table.add_column("score", justify="right")
    for video, segments in found.items():
        name = Text(printable(video), overflow="fold")
        if isinstance(segments, FailedVideo):
            table.add_row(name, "", "", Text(printable(f"{segments.status}: {segments.error}")), "")
            continue
        for each in segments:
            times = _clock(each.start)[:-4], _clock(each.end)[:-4]
            table.add_row(name, *times, Text(printable(each.label)), f"{each.score:.1%}")
    return table


def segments_json(found: Found, about: Mapping) -> str:
    """The segments as JSON. about: what is said before the videos."""
    videos = []
    for video, segments in found.items():
        if isinstance(segments, FailedVideo):
            videos.append({"video": video, "status": segments.status, "error": segments.error})
        else:
            own = list(map(segment_values, segments))
            videos.append({"video": video, "status": "ok", "segments": own})
    return json.dumps({**about, "videos": videos}, indent=2) + "\n"


def segments_csv(found: Found) -> str:
    """The segments as CSV; a recording that failed has one row with the reason."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for video, segments in found.items():
        if isinstance(segments, FailedVideo):
            writer.writerow([video, segments.status, segments.error, "", "", "", ""])
            continue
        writer.writerows(segment_row(video, each) for each in segments)
    return text.getvalue()


def segments_vtt(segments: Sequence[Segment]) -> str:
    """The segments of one recording as WebVTT subtitles (W3C); labels are text, not markup."""
    return "\n".join([VTT_HEAD, *map(segment_cue, segments)])


def segment_values(each: Segment) -> dict:
    """A segment as plain JSON values."""
    score = float(DIGITS.format(each.score))
    return {"start": each.start, "end": each.end, "label": each.label, "score": score}


def segment_row(video: str, each: Segment) -> list:
    """A segment as a row of the CSV, with COLUMNS."""
    return [video, "ok", "", *segment_values(each).values()]


def segment_cue(each: Segment) -> str:
    """A segment as a cue of WebVTT."""
    return (
        f"{_clock(each.start)} --> {_clock(each.end)}\n"
        f"{html.escape(_one_line(each.label), quote=False)} {each.score:.0%}\n"
    )


def segment_line(each: Segment) -> str:
    """A segment as a line for people."""
    times = f"{_clock(each.start)[:-4]}  {_clock(each.end)[:-4]}"
    return f"{times}  {each.score:6.1%}  {_one_line(each.label)}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000"


def _one_line(label: str) -> str:
    """A label without control characters and line breaks, which would end a cue."""
    return " ".join(printable(label).split())
