"""Accuracy by class, with intervals."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import BLUE, GREY, PALE, about, key, label, sheet, warnings_of
from mafnet.report.statistics.runs import Run, seed_means
from mafnet.report.statistics.summary import mean_of, per_class


def classes(inputs: Inputs) -> Figure:
    """A dot and its 95 % interval for each class, best first; a small mark for each seed."""
    runs = inputs.runs
    found = per_class(runs)
    measured = [name for name in found if found[name]["accuracy"] is not None]
    order = sorted(measured, key=lambda name: (found[name]["accuracy"], name), reverse=True)
    notes = [_untested(found, measured)] if len(measured) < len(found) else []
    figure = sheet(
        "Accuracy by class", about(inputs.dataset, runs), 0.2 * len(order) + 0.8,
        [*notes, *warnings_of(runs)], key_lines=1,
    )  # fmt: skip
    axes = figure.subplots()
    for row, name in enumerate(order):
        _row(axes, row, found[name], _by_seed(runs, name))
    mean = mean_of("accuracy", runs)
    axes.axvline(mean, color=GREY, linestyle="--", linewidth=1)
    _dress(axes, order, found)
    _key(figure, mean, several=len({run.seed for run in runs}) > 1)
    return figure


def _untested(found: dict, measured: list[str]) -> str:
    return f"{len(found) - len(measured)} of {len(found)} classes have no test or training sample."


def _row(axes: Axes, row: int, entry: dict, seeds: list[float]) -> None:
    """Interval, mean and seeds of one class."""
    axes.plot(entry["ci95"], [row, row], color=BLUE, linewidth=2, zorder=2)
    axes.plot(entry["accuracy"], row, "o", color=BLUE, markersize=5.5, zorder=4)
    if len(seeds) > 1:
        axes.plot(seeds, [row] * len(seeds), "|", color="black", markersize=7, zorder=5)


def _by_seed(runs: list[Run], name: str) -> list[float]:
    """The class's accuracy of each seed, mean over splits."""
    return seed_means(runs, lambda run: run.metrics["per_class"][name]["accuracy"])


def _dress(axes: Axes, order: list[str], found: dict) -> None:
    """Names on the left, numbers of test samples on the right, and the axis."""
    axes.set_yticks(range(len(order)), [label(name) for name in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("accuracy on the class's test samples [%]")
    axes.grid(axis="x")
    axes.hlines(range(len(order)), -2, 102, color=PALE, linewidth=0.5, zorder=0)
    counts = axes.secondary_yaxis("right")
    counts.set_yticks(range(len(order)), [f"n = {found[name]['samples']}" for name in order])
    for side in (axes, counts):
        side.tick_params(axis="y", length=0)
        side.spines[:].set_visible(False)


def _key(figure: Figure, mean: float, several: bool) -> None:
    handles = [
        Line2D([], [], color=BLUE, marker="o", linewidth=2, markersize=5.5),
        Line2D([], [], color=GREY, linestyle="--", linewidth=1),
    ]
    names = [
        "mean, 95 % interval (Wilson, over seeds and test samples)",
        f"all classes: {mean:.1f} %",
    ]
    if several:
        handles.append(Line2D([], [], color="black", marker="|", linestyle="", markersize=7))
        names.append("one seed")
    key(figure, handles, names, columns=3)
