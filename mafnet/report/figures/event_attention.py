"""The share of the attention on the seconds of the event, compared with chance."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mafnet.model.metrics import percent
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import (
    BLACK,
    GREY,
    MODALITY_COLOURS,
    MODALITY_MARKERS,
    PALE,
    about,
    key,
    sheet,
    warnings_of,
)
from mafnet.report.statistics.focus import INTERVAL_METHOD, Focus, by_split, focus_mean, focus_of

TITLE = "Attention on the event"
BOTH = "both"
_SEED = {"marker": "|", "markersize": 8, "color": BLACK, "linestyle": ""}


def event_attention(inputs: Inputs) -> Figure:
    """A row for each modality and one for both; the dashed line is chance."""
    found = [focus_of(run, inputs.samples(run.split)) for run in inputs.runs]
    groups = by_split(found)
    subtitle = about(inputs.dataset, inputs.runs)
    if not groups:
        note = "No test sample has an event that fills only a part of its video: nothing to show."
        return sheet(TITLE, subtitle, 0.1, [note])
    counted = sum(len(runs[0].chance) for runs in groups.values())
    subtitle += f", {counted:,} with an event that fills a part of the video"
    names = list(found[0].modalities)
    names += [BOTH] * (len(names) > 1)
    notes = warnings_of(inputs.runs)
    figure = sheet(TITLE, subtitle, 0.36 * len(names) + 0.8, notes, key_lines=2)
    axes = figure.subplots()
    for row, name in enumerate(names):
        _row(axes, row, name, found)
    _dress(axes, [_named(name, found) for name in names])
    _chance(axes, groups, len(inputs.runs) > len(groups))
    return figure


def _row(axes: Axes, row: int, name: str, found: Sequence[Focus]) -> None:
    """Interval, mean and seeds of one modality."""
    mean, interval = focus_mean(found, row)
    colour, marker = MODALITY_COLOURS.get(name, BLACK), MODALITY_MARKERS.get(name, "D")
    axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=2)
    axes.plot(mean, row, marker, color=colour, markersize=6)
    axes.annotate(
        f"{mean:.0f} %", (mean, row), (0, 6), textcoords="offset points", fontsize=8, ha="center",
        va="bottom", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip
    seeds = sorted({focus.seed for focus in found})
    if len(seeds) > 1:
        each = [focus_mean([run for run in found if run.seed == seed], row)[0] for seed in seeds]
        axes.plot(each, [row] * len(each), **_SEED)


def _named(name: str, found: Sequence[Focus]) -> str:
    """A row's name with the modality's share of all attention."""
    if name == BOTH or len(found[0].modalities) == 1:
        return name
    column = found[0].modalities.index(name)
    groups = by_split(found).values()
    share = np.mean([np.mean([run.shares[:, column] for run in runs]) for runs in groups])
    return f"{name} ({percent(share):.0f} % of all)"


def _dress(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.7)
    axes.set_xlim(0, 100)
    axes.set_xlabel("attention on the seconds of the event [%]")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    for row in range(len(names)):
        axes.axhline(row, color=PALE, linewidth=0.5, zorder=0)


def _chance(axes: Axes, groups: dict[str, list[Focus]], several: bool) -> None:
    """The line of chance, and the legend."""
    chance = percent(np.mean([runs[0].chance.mean() for runs in groups.values()]))
    line = {"color": GREY, "linestyle": "--", "linewidth": 1.2}
    axes.axvline(chance, **line)
    handles = [Line2D([], [], color=BLACK, marker="D", linewidth=2), Line2D([], [], **line)]
    names = [
        f"mean, 95 % interval ({INTERVAL_METHOD})",
        f"chance: {chance:.0f} %",
    ]
    if several:
        handles.append(Line2D([], [], **_SEED))
        names.append("one seed")
    key(axes.get_figure(), handles, names, columns=2)
