"""Confusion matrix: what each class is taken for."""

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
    columns_of,
    label,
    place,
    sheet,
    warnings_of,
)

COLOURS = "Blues"
FEW, MANY = 12, 30
"""Classes up to which a cell has room for a share and a count; beyond which all type is small."""

LEAST_SHOWN = 0.05
"""Share from which a cell of more than a few classes gets its number."""

NAME_COLUMNS = 30
_CELL, _AXIS, _BAR = 0.72, 0.45, 0.95
"""Inches: the widest cell, an axis's name, the bar of colours with its words."""


def confusion(inputs: Inputs) -> Figure:
    """One row a true class, in percent of its samples; summed over seeds and splits."""
    names = inputs.runs[0].predictions.classes
    counts = _counts(inputs, len(names))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    shown = [label(name, NAME_COLUMNS) for name in names]
    size = 8 if len(names) <= MANY else 6
    room = _AXIS + 0.0083 * size * max(map(columns_of, shown))
    side = min(WIDTH - room - _BAR, _CELL * len(names))
    notes = [_how(inputs), *warnings_of(inputs.runs, spread=False)]
    words = about(inputs.dataset, inputs.runs)
    figure = sheet("Confusion", words, side + room, notes)
    axes = place(figure, room, 0, side, side)
    _cells(axes, shares, counts)
    _ticks(axes, shown, size)
    _bar(figure, place(figure, room + side + 0.15, 0.1 * side, 0.12, 0.8 * side))
    return figure


def _counts(inputs: Inputs, classes: int) -> np.ndarray:
    """(C, C) predictions of all runs by true and predicted class."""
    found = [run.predictions for run in inputs.runs]
    labels = range(classes)
    return sum(confusion_matrix(one.labels, one.predicted, labels=labels) for one in found)


def _how(inputs: Inputs) -> str:
    """What a cell counts."""
    few = len(inputs.runs[0].predictions.classes) <= FEW
    cells = "Cells: % of the row's true class" + (" (predictions)" if few else "")
    seeds = len({run.seed for run in inputs.runs})
    return (
        f"{cells}; a test sample counts {seeds} times, once a seed." if seeds > 1 else cells + "."
    )


def _cells(axes: Axes, shares: np.ndarray, counts: np.ndarray) -> None:
    """A square for each pair of classes that occurs, darker where it is more frequent."""
    places = np.argwhere(counts > 0)
    values = shares[counts > 0]
    squares = [Rectangle((column, row), 1, 1) for row, column in places]
    colours = mpl.colormaps[COLOURS](values)
    axes.add_collection(PatchCollection(squares, facecolors=colours, linewidth=0, zorder=1))
    size = 8 if len(shares) <= FEW else 5.5 if len(shares) <= MANY else 4
    for (row, column), share in zip(places, values, strict=True):
        if len(shares) <= FEW or share >= LEAST_SHOWN:
            text = f"{100 * share:.0f}"
            text += f"\n({counts[row, column]})" if len(shares) <= FEW else ""
            colour = "white" if share > 0.55 else BLACK
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size,
                      color=colour)  # fmt: skip


def _ticks(axes: Axes, names: list[str], size: int) -> None:
    """Names at both axes, the diagonal from the upper left."""
    axes.set_xlim(0, len(names))
    axes.set_ylim(len(names), 0)
    places = np.arange(len(names)) + 0.5
    axes.set_xticks(places, names, fontsize=size, rotation=90)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(True)
    lines = {"color": PALE, "linewidth": 0.4, "zorder": 2}
    axes.hlines(range(1, len(names)), 0, len(names), **lines)
    axes.vlines(range(1, len(names)), 0, len(names), **lines)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


def _bar(figure: Figure, axes: Axes) -> None:
    """What the colours mean."""
    bar = figure.colorbar(ScalarMappable(cmap=COLOURS), cax=axes)
    bar.set_label("share of the true class")
    bar.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
    bar.outline.set_edgecolor(GREY)
