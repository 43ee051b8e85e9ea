"""Training curves: loss and validation accuracy of all epochs of all runs."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mafnet.model.run_folder import Epoch
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import (
    COLOURS,
    LINES,
    MARKERS,
    about,
    key,
    sheet,
    warnings_of,
)
from mafnet.report.statistics.runs import Run

COLUMNS = 2
"""Columns of the legend."""


def curves(inputs: Inputs) -> Figure:
    """Losses above, validation accuracy below; a mark at the epoch whose weights were kept."""
    runs = inputs.runs
    subtitle = about(inputs.dataset, runs, tested=False)
    lines = math.ceil(len(runs) / COLUMNS)
    figure = sheet("Training", subtitle, 6.0, warnings_of(runs), key_lines=lines)
    panels = figure.subplots(3, 1, sharex=True)
    loss, val_loss, accuracy = panels
    handles, names = [], []
    for run in runs:
        history = run.folder.read_history()
        best = [epoch for epoch in history if epoch.best][-1]
        look = _style(runs, run) | {"markevery": [best.epoch - 1]}
        epochs = [epoch.epoch for epoch in history]
        handles += loss.plot(epochs, [epoch.loss for epoch in history], **look)
        val_loss.plot(epochs, [epoch.val_loss for epoch in history], **look)
        accuracy.plot(epochs, [100 * epoch.val_accuracy for epoch in history], **look)
        names.append(_name(runs, run, best))
    _dress(*panels)
    key(figure, handles, names, COLUMNS)
    return figure


def _name(runs: Sequence[Run], run: Run, best: Epoch) -> str:
    """Split (if there are several), seed, and the epoch that was kept."""
    several = len({other.split for other in runs}) > 1
    where = f"{run.split}, " if several else ""
    reached = f"{100 * best.val_accuracy:.1f} % in epoch {best.epoch}"
    return f"{where}seed {run.seed}: best {reached}"


def _style(runs: Sequence[Run], run: Run) -> dict:
    """Colour and marker by seed, line style by split."""
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


def _dress(loss: Axes, val_loss: Axes, accuracy: Axes) -> None:
    """Labels and grids."""
    loss.set_ylabel("training loss [nats]")
    val_loss.set_ylabel("validation loss [nats]")
    loss.set_ylim(bottom=0)
    val_loss.set_ylim(bottom=0)
    accuracy.set_ylabel("validation accuracy [%]")
    accuracy.set_xlabel("epoch")
    accuracy.set_ylim(0, 104)
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, val_loss, accuracy):
        axes.grid(axis="y")
