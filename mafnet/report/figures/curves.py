"""Training curves: loss and validation accuracy of every epoch of every run."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mafnet.report.figures.inputs import FigureRun, Inputs, read_history
from mafnet.report.figures.style import (
    COLOURS,
    LINES,
    MARKERS,
    about,
    key,
    sheet,
    warnings_of,
)

COLUMNS = 2
"""Of the key."""


def curves(inputs: Inputs) -> Figure:
    """Loss above, validation accuracy below, the epoch whose weights were kept marked in both."""
    runs = inputs.runs
    words = about(inputs.dataset, runs, tested=False)
    lines = math.ceil(len(runs) / COLUMNS)
    figure = sheet("Training", words, 4.2, warnings_of(runs), key_lines=lines)
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    handles, names = [], []
    for run in runs:
        history = read_history(run.folder)
        best = history[history["best"] == 1].iloc[-1]
        look = _style(runs, run) | {"markevery": [int(best["epoch"]) - 1]}
        handles += loss.plot(history["epoch"], history["loss"], **look)
        accuracy.plot(history["epoch"], 100 * history["val_accuracy"], **look)
        names.append(_name(runs, run, best))
    _dress(loss, accuracy)
    key(figure, handles, names, COLUMNS)
    return figure


def _name(runs: Sequence[FigureRun], run: FigureRun, best: pd.Series) -> str:
    """Split, where there are several, seed, and the epoch that was kept."""
    several = len({other.split for other in runs}) > 1
    where = f"{run.split}, " if several else ""
    reached = f"{100 * best['val_accuracy']:.1f} % in epoch {best['epoch']:.0f}"
    return f"{where}seed {run.seed}: best {reached}"


def _style(runs: Sequence[FigureRun], run: FigureRun) -> dict:
    """Colour and mark by seed, line by split."""
    seeds = sorted({other.seed for other in runs})
    splits = list(dict.fromkeys(other.split for other in runs))
    seed, split = seeds.index(run.seed), splits.index(run.split)
    line = split if len(splits) > 1 else seed
    return {
        "color": COLOURS[seed % len(COLOURS)],
        "marker": MARKERS[seed % len(MARKERS)],
        "linestyle": LINES[line % len(LINES)],
        "linewidth": 1.3,
        "markersize": 7,
        "markerfacecolor": "white",
    }


def _dress(loss: Axes, accuracy: Axes) -> None:
    """Labels and grids."""
    loss.set_ylabel("training loss (cross-entropy)")
    loss.set_ylim(bottom=0)
    accuracy.set_ylabel("validation accuracy [%]")
    accuracy.set_xlabel("epoch")
    accuracy.set_ylim(0, 104)
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, accuracy):
        axes.grid(axis="y")
