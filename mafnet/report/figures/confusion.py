"""Confusion matrix: predicted class by true class."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import confusion_matrix

from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import (
    BLACK,
    GREY,
    PALE,
    WIDTH,
    about,
    axes_at,
    columns_of,
    label,
    sheet,
    warnings_of,
)

COLOURS = "Blues"
FEW, MANY = 12, 30
"""Up to FEW classes a cell shows a share and a count. Above MANY classes all text is small."""

LEAST_SHOWN = 0.05
"""With more than FEW classes, only cells with at least this share show it."""

NAME_COLUMNS = 30
_CELL, _AXIS, _BAR = 0.72, 0.45, 0.95
"""Inches: the largest cell, the label of an axis, the colour bar with its labels."""


def confusion(inputs: Inputs) -> Figure:
    """One row for each true class, in percent of its samples; sums over seeds and splits."""
    names = inputs.runs[0].predictions.classes
    counts = _counts(inputs, len(names))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    shown = [label(name, NAME_COLUMNS) for name in names]
    size = 8 if len(names) <= MANY else 6
    room = _AXIS + 0.0083 * size * max(map(columns_of, shown))
    side = min(WIDTH - room - _BAR, _CELL * len(names))
    notes = [_how(inputs), *warnings_of(inputs.runs, spread=False)]
    subtitle = about(inputs.dataset, inputs.runs)
    figure = sheet("Confusion", subtitle, side + room, notes)
    axes = axes_at(figure, room, 0, side, side)
    _cells(axes, shares, counts)
    _ticks(axes, shown, size)
    _bar(figure, axes_at(figure, room + side + 0.15, 0.1 * side, 0.12, 0.8 * side))
    return figure


def _counts(inputs: Inputs, classes: int) -> np.ndarray:
    """(C, C) predictions of all runs by true and predicted class."""
    found = [run.predictions for run in inputs.runs]
    labels = range(classes)
    return sum(confusion_matrix(one.labels, one.predicted, labels=labels) for one in found)


def _how(inputs: Inputs) -> str:
    """The note about the cells."""
    few = len(inputs.runs[0].predictions.classes) <= FEW
    cells = "Cells: % of the row's true class" + (" (predictions)" if few else "")
    seeds = len({run.seed for run in inputs.runs})
    return (
        f"{cells}; each test sample counts {seeds} times, once for each seed."
        if seeds > 1
        else cells + "."
    )


def _cells(axes: Axes, shares: np.ndarray, counts: np.ndarray) -> None:
    """A square for each pair of classes that occurs, darker if it is more frequent."""
    cells = np.argwhere(counts > 0)
    values = shares[counts > 0]
    squares = [Rectangle((column, row), 1, 1) for row, column in cells]
    colours = mpl.colormaps[COLOURS](values)
    axes.add_collection(PatchCollection(squares, facecolors=colours, linewidth=0, zorder=1))
    size = 8 if len(shares) <= FEW else 5.5 if len(shares) <= MANY else 4
    for (row, column), share in zip(cells, values, strict=True):
        if len(shares) <= FEW or share >= LEAST_SHOWN:
            text = f"{100 * share:.0f}"
            text += f"\n({counts[row, column]})" if len(shares) <= FEW else ""
            colour = "white" if share > 0.55 else BLACK
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size,
                      color=colour)  # fmt: skip


def _ticks(axes: Axes, names: list[str], size: int) -> None:
    """Names at both axes; the diagonal starts at the upper left."""
    axes.set_xlim(0, len(names))
    axes.set_ylim(len(names), 0)
    cells = np.arange(len(names)) + 0.5
    axes.set_xticks(cells, names, fontsize=size, rotation=90)
    axes.set_yticks(cells, names, fontsize=size)
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(True)
    lines = {"color": PALE, "linewidth": 0.4, "zorder": 2}
    axes.hlines(range(1, len(names)), 0, len(names), **lines)
    axes.vlines(range(1, len(names)), 0, len(names), **lines)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


def _bar(figure: Figure, axes: Axes) -> None:
    """The colour bar."""
    bar = figure.colorbar(ScalarMappable(cmap=COLOURS), cax=axes)
    bar.set_label("share of the true class")
    bar.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
    bar.outline.set_edgecolor(GREY)
