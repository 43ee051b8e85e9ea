"""Predictions for videos as a table for the terminal, as JSON and as CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mafnet.common.terminal import printable
from mafnet.features.videos import FailedVideo
from mafnet.model.predictions import DIGITS
from mafnet.model.video_prediction import VideoPrediction

BLOCKS = "▁▂▃▄▅▆▇█"

Found = VideoPrediction | FailedVideo


def as_table(found: Sequence[Found], top: int, notes: Sequence[str]) -> Group:
    """A row for each video: its most probable classes, and the attention as one mark a second.

    Marks of one video have one scale for all modalities; padded seconds are blank. notes: sentences
    below the table.
    """
    table = Table("video", "label", show_lines=True)
    table.add_column("probability", justify="right")
    table.add_column("attention by second", no_wrap=True)
    for each in found:
        name = Text(printable(each.video), overflow="fold")
        if isinstance(each, FailedVideo):
            table.add_row(name, Text(f"{each.status}: {printable(each.error)}", "red"), "", "")
            continue
        best = each.top(top)
        labels = Text("\n".join(printable(label) for label, _ in best))
        shares = "\n".join(f"{share:.1%}" for _, share in best)
        table.add_row(name, labels, shares, Text(_timeline(each)))
    return Group(table, *map(Text, notes))


def as_json(found: Sequence[Found], about: Mapping) -> str:
    """All that is known, as JSON; bytes of names that are not text are escaped.

    about: what is said before the videos.
    """
    return json.dumps({**about, "videos": list(map(_values, found))}, indent=2) + "\n"


def as_csv(
    found: Sequence[Found], classes: Sequence[str], modalities: Sequence[str], clips: int
) -> str:
    """One row a video: the label, the probability of each class, the attention of each second."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scores = [f"{name}[{second}]" for name in modalities for second in range(clips)]
    writer.writerow(
        ["video", "status", "error", "label", *(f"p({name})" for name in classes), *scores]
    )
    for each in found:
        if isinstance(each, FailedVideo):
            blank = [""] * (1 + len(classes) + len(scores))
            writer.writerow([each.video, each.status, each.error, *blank])
            continue
        numbers = np.concatenate([each.probabilities, each.attention.T.ravel()])
        writer.writerow([each.video, "ok", "", each.label, *map(DIGITS.format, numbers)])
    return text.getvalue()


def _values(found: Found) -> dict:
    """A video as plain JSON values."""
    if isinstance(found, FailedVideo):
        return {"video": found.video, "status": str(found.status), "error": found.error}
    attention = [
        {"start": start, "end": start + 1, **{
            name: float(DIGITS.format(score)) if real else None
            for name, score, real in zip(found.modalities, scores, valid, strict=True)
        }}
        for start, scores, valid in zip(
            found.times.tolist(), found.attention, found.valid, strict=True
        )
    ]  # fmt: skip
    return {
        "video": found.video,
        "status": "ok",
        "warnings": list(found.warnings),
        "label": found.label,
        "probabilities": dict(found.top(len(found.classes))),
        "attention": attention,
    }


def _timeline(found: VideoPrediction) -> str:
    """One line a modality."""
    peak = max(float(found.attention.max()), 1e-9)
    levels = np.rint(found.attention / peak * (len(BLOCKS) - 1)).astype(int)
    width = max(map(len, found.modalities))
    return "\n".join(
        f"{name:{width}} "
        + "".join(BLOCKS[levels[t, k]] if found.valid[t, k] else " " for t in range(len(levels)))
        for k, name in enumerate(found.modalities)
    )
