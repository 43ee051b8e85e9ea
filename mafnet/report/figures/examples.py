"""Example predictions of several variants for the same test videos (paper, Figure 5)."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mafnet.dataset.manifest import Sample
from mafnet.report.figures.choice import drawn
from mafnet.report.figures.frames import (
    show_frame,
    show_problem,
    usual_aspect,
    verdict,
)
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import WIDTH, about, axes_at, label, sheet, warnings_of
from mafnet.report.statistics.runs import Run
from mafnet.report.video_frames import Frames

VIDEOS = 8
COLUMNS = 4

_MARGIN, _TITLE, _LINE, _PAIR, _BELOW = 0.1, 0.2, 0.14, 0.34, 0.24
"""Inches: margin beside a card, its title, a line of text, the two lines of a variant with the gap
below, the gap below a card."""

_WIDTH = WIDTH / COLUMNS - 2 * _MARGIN


def examples(inputs: Inputs) -> Figure:
    """Cards of test videos; videos on which the variants disagree come first."""
    runs = _one_of_each(inputs)
    videos = _choose(inputs, runs)
    frames = inputs.frames(videos, inputs.shown.settings.clips)
    frame_height = _WIDTH / usual_aspect(frames)
    height = _TITLE + frame_height + _PAIR * len(runs) + _BELOW
    subtitle = f"{about(inputs.dataset, list(runs.values()))} · {len(videos)} of them are shown"
    notes = warnings_of(list(runs.values()), spread=False)
    rows = math.ceil(len(videos) / COLUMNS)
    figure = sheet("Example predictions", subtitle, rows * height, notes)
    for number, video in enumerate(videos):
        row, column = divmod(number, COLUMNS)
        corner = (column * WIDTH / COLUMNS + _MARGIN, row * height + _TITLE)
        axes = axes_at(figure, *corner, _WIDTH, frame_height)
        _show(axes, video, frames[number], _WIDTH / frame_height)
        _write(axes, video, runs, frame_height)
    return figure


def _one_of_each(inputs: Inputs) -> dict[str, Run]:
    """Each variant's run of the first split with the lowest seed."""
    split = inputs.shown.split
    runs = sorted((run for run in inputs.runs if run.split == split), key=lambda run: -run.seed)
    found = {run.variant: run for run in runs}
    return {run.variant: found[run.variant] for run in inputs.runs if run.variant in found}


def _choose(inputs: Inputs, runs: Mapping[str, Run]) -> list[Sample]:
    """Videos of different classes; videos on which the variants disagree come first."""
    samples = inputs.tested(inputs.shown)
    predictions: dict[str, set[int]] = {}
    for found in (run.predictions for run in runs.values()):
        for sample, predicted in zip(found.samples, found.predicted, strict=True):
            predictions.setdefault(sample, set()).add(int(predicted))
    disputed = [sample for sample in samples if len(predictions[sample.sample]) > 1]
    agreed = [sample for sample in samples if len(predictions[sample.sample]) == 1]
    return drawn(disputed, agreed, VIDEOS)


def _show(axes: Axes, video: Sample, frames: Frames, shape: float) -> None:
    """One frame below its true class.

    shape: width divided by height of the axes.
    """
    axes.set_axis_off()
    box = (0.0, 1.0, 0.0, 1.0)
    if frames.problem:
        show_problem(axes, frames.problem, box)
    else:
        image = frames.images[_middle(video, len(frames.images))]
        show_frame(axes, image, frames.aspect, box, shape)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_title(label(video.label, 24), fontsize=8, weight="bold", pad=3, loc="left")


def _middle(video: Sample, seconds: int) -> int:
    """The middle second of the event if it is known, else of the video."""
    start, end = video.event or (0, seconds)
    return min(int((start + end) / 2), seconds - 1)


def _write(axes: Axes, video: Sample, runs: Mapping[str, Run], height: float) -> None:
    """Two lines for each variant below the frame: its name, its prediction.

    height: of the frame, in inches.
    """
    for number, (variant, run) in enumerate(runs.items()):
        text, colour = verdict(run.predictions.of(video.sample), 20)
        first = -(0.13 + _PAIR * number) / height
        second = first - _LINE / height
        axes.text(0, first, label(variant, 26), fontsize=7, va="center")
        axes.text(0, second, text, fontsize=7, va="center", color=colour, weight="bold")
