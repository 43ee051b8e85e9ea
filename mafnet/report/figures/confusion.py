"""Confusion matrix: what each class is taken for."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mafnet.model.metrics import confusion_matrix
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import about, label, sheet, warnings_of

FEW = 12
"""Classes up to which a cell has room for a share and a count."""

LEAST_SHOWN = 0.05
"""Share from which a cell of many gets its number."""


def confusion(inputs: Inputs) -> Figure:
    """One row a true class, in percent of its samples; summed over seeds and splits."""
    names = list(inputs.runs[0].run.metrics["per_class"])
    counts = _counts(inputs, names)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = min(0.27 * len(names) + 3.2, 9.0)
    notes = [_how(inputs), *warnings_of(inputs.runs, spread=False)]
    figure = sheet("Confusion", about(inputs.dataset, inputs.runs), side, notes)
    axes = figure.subplots()
    mesh = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.4)
    _ticks(axes, names)
    _numbers(axes, shares, counts)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.5, aspect=25, pad=0.01)
    bar.set_label("share of the true class")
    bar.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
    bar.outline.set_visible(False)
    return figure


def _counts(inputs: Inputs, names: list[str]) -> np.ndarray:
    """(C, C) predictions of all runs by true and predicted class."""
    index = {name: number for number, name in enumerate(names)}
    total = np.zeros((len(names), len(names)), int)
    for run in inputs.runs:
        truth, found = (run.run.predictions[column].map(index) for column in ("label", "predicted"))
        total += confusion_matrix(truth.to_numpy(), found.to_numpy(), len(names))
    return total


def _how(inputs: Inputs) -> str:
    """What a cell counts."""
    seeds = len({run.seed for run in inputs.runs})
    if seeds == 1:
        return "Cells: % of the row's true class (predictions)."
    return f"Cells: % of the row's true class; each test sample counts {seeds} times, once a seed."


def _ticks(axes: Axes, names: list[str]) -> None:
    """Names at both axes, the diagonal from the upper left."""
    size = 8 if len(names) <= 30 else 6
    shown = [label(name, 24) for name in names]
    places = np.arange(len(names)) + 0.5
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_xticks(places, shown, rotation=90, fontsize=size)
    axes.set_yticks(places, shown, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


def _numbers(axes: Axes, shares: np.ndarray, counts: np.ndarray) -> None:
    """Percents in the cells, with the counts where there is room for them."""
    few = len(shares) <= FEW
    size = 8 if few else 5.5 if len(shares) <= 30 else 4
    for row, column in np.argwhere(counts > 0):
        share = shares[row, column]
        if not few and share < LEAST_SHOWN:
            continue
        text = f"{100 * share:.0f}"
        text += f"\n({counts[row, column]})" if few else ""
        colour = "white" if share > 0.55 else "black"
        place = (column + 0.5, row + 0.5)
        axes.text(*place, text, ha="center", va="center", fontsize=size, color=colour)
