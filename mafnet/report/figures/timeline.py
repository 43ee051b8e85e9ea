"""Attention over time (paper, Figure 3): frames of each second, and the T x K scores below them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mafnet.dataset.manifest import Sample
from mafnet.model.predictions import Prediction
from mafnet.model.run_folder import Attention
from mafnet.report.figures.choice import drawn
from mafnet.report.figures.frames import (
    show_frame,
    show_problem,
    usual_aspect,
    verdict,
)
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import (
    BLACK,
    GREY,
    MODALITY_COLOURS,
    MODALITY_HATCHES,
    PALE,
    WIDTH,
    about,
    axes_at,
    label,
    sheet,
    warnings_of,
)
from mafnet.report.statistics.focus import covered
from mafnet.report.statistics.runs import Run
from mafnet.report.video_frames import Frames

VIDEOS = 6
MOST_FRAMES = 12
"""Largest number of frames, or of numbers, side by side."""

_NAMES, _GAP = 0.62, 0.14
_TITLE, _EVENT, _BAR, _TICKS = 0.2, 0.17, 0.36, 0.4
"""Inches: left of a strip, right of it; above the frames, below them, a row of bars, the axis."""


@dataclass(frozen=True)
class StripLayout:
    """The sizes of the strip of one video, in inches.

    clips: T. modalities: K. aspect: width divided by height of a frame.
    """

    clips: int
    modalities: int
    aspect: float

    @property
    def columns(self) -> int:
        """Number of strips side by side: two if the videos are short."""
        return 2 if self.clips <= 4 else 1

    @property
    def width(self) -> float:
        """Width of all seconds."""
        return WIDTH / self.columns - _NAMES - _GAP

    @property
    def step(self) -> int:
        """Distance of two frames, in seconds."""
        return math.ceil(self.clips / MOST_FRAMES)

    @property
    def frame_height(self) -> float:
        """Height of a frame."""
        return self.width * self.step / self.clips / self.aspect

    @property
    def bars(self) -> float:
        """Height of all bars."""
        return _BAR * self.modalities

    @property
    def height(self) -> float:
        """Height of the whole strip."""
        return _TITLE + self.frame_height + _EVENT + self.bars + _TICKS

    def corner(self, number: int) -> tuple[float, float]:
        """The upper left corner of the frames of a video, from the left and from the top."""
        row, column = divmod(number, self.columns)
        return column * WIDTH / self.columns + _NAMES, row * self.height + _TITLE


def timeline(inputs: Inputs) -> Figure:
    """Some test videos of different classes, chosen at random."""
    run = inputs.shown
    attention = run.folder.read_attention()
    clips, modalities = attention.weights.shape[1:]
    videos = _choose(inputs, run, clips)
    frames = inputs.frames(videos, clips)
    strip = StripLayout(clips, modalities, usual_aspect(frames))
    subtitle = f"{about(inputs.dataset, [run])} · {len(videos)} chosen at random"
    height = math.ceil(len(videos) / strip.columns) * strip.height
    figure = sheet("Attention over time", subtitle, height, warnings_of([run], spread=False))
    for number, video in enumerate(videos):
        axes = _frames_axes(figure, strip, strip.corner(number))
        _show_frames(axes, strip, frames[number])
        _show_title(axes, strip, video, run.predictions.of(video.sample))
    highest = max(float(attention.of(video.sample)[0].max()) for video in videos)
    for number, video in enumerate(videos):
        bars = _bars_axes(figure, strip, strip.corner(number))
        _show_bars(bars, attention, video.sample, highest)
        _show_event(bars, video, strip)
    return figure


def _choose(inputs: Inputs, run: Run, clips: int) -> list[Sample]:
    """Videos of different classes; videos whose event fills only a part of them come first."""
    telling, others = [], []
    for sample in inputs.tested(run):
        partly = sample.event is not None and covered(sample, clips).mean() < 1
        (telling if partly else others).append(sample)
    return drawn(telling, others, VIDEOS)


def _frames_axes(figure: Figure, strip: StripLayout, corner: tuple[float, float]) -> Axes:
    axes = axes_at(figure, *corner, strip.width, strip.frame_height)
    axes.set_axis_off()
    return axes


def _bars_axes(figure: Figure, strip: StripLayout, corner: tuple[float, float]) -> Axes:
    left, top = corner
    axes = axes_at(figure, left, top + strip.frame_height + _EVENT, strip.width, strip.bars)
    axes.set_xlim(0, strip.clips)
    axes.set_ylim(0, strip.modalities)
    ticks = range(0, strip.clips + 1, strip.step)
    axes.set_xticks(ticks, [f"{second} s" for second in ticks], fontsize=7)
    axes.tick_params(length=2)
    axes.spines["left"].set_visible(False)
    return axes


def _show_frames(axes: Axes, strip: StripLayout, frames: Frames) -> None:
    """The frames at their seconds, or the reason why there are none."""
    axes.set_xlim(0, strip.clips)
    axes.set_ylim(0, 1)
    for second, frame in list(enumerate(frames.images))[:: strip.step]:
        pad = 0.02 * strip.step
        box = (second + pad, second + strip.step - pad, 0, 1)
        show_frame(axes, frame, frames.aspect, box, strip.aspect)
    if frames.problem:
        show_problem(axes, frames.problem, (0, strip.clips, 0, 1))
    axes.set_xlim(0, strip.clips)
    axes.set_ylim(0, 1)


def _show_title(axes: Axes, strip: StripLayout, video: Sample, found: Prediction) -> None:
    """The true class on the left, the predicted class on the right."""
    room = 22 if strip.columns > 1 else 44
    text, colour = verdict(found, room)
    axes.set_title(label(video.label, room - 2), fontsize=8, weight="bold", pad=3)
    axes.set_title(text, fontsize=8, color=colour, loc="right", pad=3)


def _show_bars(axes: Axes, attention: Attention, sample: str, highest: float) -> None:
    """A row of bars for each modality, the first at the top.

    highest: the largest score of all videos; it leaves room for its number above the bar.
    """
    weights, valid = attention.of(sample)
    clips, count = weights.shape
    scale = 0.58 / highest
    for row, name in enumerate(attention.modalities):
        base = count - 1 - row
        heights = weights[:, row] * scale
        look = {"color": MODALITY_COLOURS[name], "hatch": MODALITY_HATCHES[name]}
        axes.bar(np.arange(clips) + 0.5, heights, 0.8, base, edgecolor="white", linewidth=0, **look)
        axes.plot([0, clips], [base + scale / weights.size] * 2, ":", color=BLACK, linewidth=0.8)
        axes.axhline(base, color=GREY, linewidth=0.8)
        _show_numbers(axes, base, heights, weights[:, row])
        _show_padding(axes, base, valid[:, row])
    rows = [count - 0.55 - row for row in range(count)]
    axes.set_yticks(rows, attention.modalities, fontsize=8)
    axes.tick_params(axis="y", length=0)


def _show_numbers(axes: Axes, base: float, heights: Sequence[float], weights: np.ndarray) -> None:
    """Scores in percent above their bars, if there is room; none that would be 0."""
    if len(weights) > MOST_FRAMES:
        return
    for second, (height, weight) in enumerate(zip(heights, weights, strict=True)):
        if weight < 0.005:
            continue
        axes.text(
            second + 0.5, base + height + 0.06, f"{100 * weight:.0f}", ha="center", va="bottom",
            fontsize=6.5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
        )  # fmt: skip


def _show_padding(axes: Axes, base: float, valid: np.ndarray) -> None:
    """Hatching for seconds after the end of the video."""
    for second in np.flatnonzero(~valid):
        axes.bar(second + 0.5, 1, 1, base, color=PALE, hatch="xx", edgecolor="white", linewidth=0,
                 zorder=0)  # fmt: skip


def _show_event(axes: Axes, video: Sample, strip: StripLayout) -> None:
    """A bracket over the seconds of the event, if they are known and shown."""
    if not video.event or video.event[0] >= strip.clips:
        return
    start, end = video.event[0], min(video.event[1], strip.clips)
    height = strip.modalities + 0.12
    line = {"color": BLACK, "linewidth": 1.4, "clip_on": False, "solid_capstyle": "butt"}
    foot = strip.modalities - 0.02
    axes.plot([start + 0.03, start + 0.03, end - 0.03, end - 0.03],
              [foot, height, height, foot], **line)  # fmt: skip
    axes.text((start + end) / 2, height, "event", ha="center", va="center", fontsize=7,
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
