"""A study as a figure: accuracy of each variant, and its difference to the main one."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import BLACK, BLUE, GREY, PALE, about, key, sheet, warnings_of
from mafnet.report.reference_rows import REFERENCE, marked
from mafnet.report.statistics.runs import Run, seed_means
from mafnet.report.study_table import read_study

_DOT = {"marker": "o", "markersize": 5.5, "color": BLUE}
_SEED = {"marker": "|", "markersize": 7, "color": BLACK, "linestyle": ""}
_FLAT_SEED = _SEED | {"marker": "_"}
_PAPER = {"marker": "D", "markersize": 5.5, "color": BLACK, "markerfacecolor": "none",
          "linestyle": ""}  # fmt: skip
NUMBERS = ("accuracy", "ci_low", "ci_high", "difference", "difference_low", "difference_high",
           "paper")  # fmt: skip
"""Columns of a study that are drawn; empty cells become NaN, which matplotlib leaves out."""


def study(inputs: Inputs) -> Figure:
    """Rows of variants, or a line if the variants are rates of dropped updates."""
    table = read_study(inputs.study)
    for column in NUMBERS:
        table[column] = pd.to_numeric(table[column])
    rates = _rates(inputs.runs)
    if rates:
        table["rate"] = table["variant"].map(rates)
        return _over_rates(inputs, table.sort_values("rate"))
    return _side_by_side(inputs, table)


def _rates(runs: Sequence[Run]) -> Mapping[str, float]:
    """The drop rate of each variant if the variants differ only in that rate, else empty."""
    rates, others = {}, set()
    for run in runs:
        settings = run.settings
        rates[run.variant] = settings.training.drop_rate
        training = settings.training.model_copy(update={"drop_rate": 0.0})
        others.add(repr((settings.network, settings.options, training)))
    several = len(set(rates.values())) == len(rates) > 1
    return rates if several and len(others) == 1 else {}


def _side_by_side(inputs: Inputs, table: pd.DataFrame) -> Figure:
    figure = _sheet(inputs, 0.24 * len(table) + 0.8)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for row, entry in enumerate(table.to_dict("records")):
        _accuracy(left, row, entry, _by_seed(inputs.runs, entry["variant"]))
        _difference(right, row, entry)
    _dress(left, right, table, inputs.main)
    _key(figure, inputs.runs, table, ("left", "right"), _SEED)
    return figure


def _over_rates(inputs: Inputs, table: pd.DataFrame) -> Figure:
    """Accuracy above, difference to the main variant below, over the rate in percent."""
    figure = _sheet(inputs, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _rate_accuracies(upper, inputs.runs, table)
    _rate_differences(lower, table)
    upper.set_ylabel("accuracy [%]")
    lower.set_ylabel(f"points above {inputs.main}")
    lower.set_xlabel("share of training steps without an update of the visual path [%]")
    lower.set_xticks(100 * table["rate"])
    for axes in (upper, lower):
        axes.grid(axis="y")
    _key(figure, inputs.runs, table, ("above", "below"), _FLAT_SEED)
    return figure


def _rate_accuracies(axes: Axes, runs: Sequence[Run], table: pd.DataFrame) -> None:
    """A line with its band of intervals, the seeds and the paper's values."""
    rate = 100 * table["rate"]
    axes.fill_between(rate, table["ci_low"], table["ci_high"], color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(rate, table["accuracy"], linewidth=1.4, **_DOT)
    for where, variant in zip(rate, table["variant"], strict=True):
        seeds = _by_seed(runs, variant)
        axes.plot([where] * len(seeds), seeds, **_FLAT_SEED)
    axes.plot(rate, table["paper"], **_PAPER)


def _rate_differences(axes: Axes, table: pd.DataFrame) -> None:
    """Dots with their intervals, and a line at zero."""
    below = table["difference"] - table["difference_low"]
    above = table["difference_high"] - table["difference"]
    axes.errorbar(100 * table["rate"], table["difference"], [below, above], linestyle="",
                  linewidth=2, **_DOT)  # fmt: skip
    axes.axhline(0, color=GREY, linestyle="--", linewidth=1)


def _sheet(inputs: Inputs, height: float) -> Figure:
    notes = warnings_of(inputs.runs)
    subtitle = about(inputs.dataset, inputs.runs)
    return sheet(f"Study: {inputs.study.stem}", subtitle, height, notes, key_lines=1)


def _by_seed(runs: Sequence[Run], variant: str) -> list[float]:
    """The variant's accuracy of each seed, mean over splits; empty if there is one seed."""
    own = [run for run in runs if run.variant == variant]
    means = seed_means(own, lambda run: run.metrics["accuracy"])
    return means if len(means) > 1 else []


def _accuracy(axes: Axes, row: int, entry: Mapping, seeds: Sequence[float]) -> None:
    axes.plot([entry["ci_low"], entry["ci_high"]], [row, row], color=BLUE, linewidth=2)
    axes.plot(entry["accuracy"], row, **_DOT)
    axes.plot(seeds, [row] * len(seeds), **_SEED)
    axes.plot(entry["paper"], row, **_PAPER)


def _difference(axes: Axes, row: int, entry: Mapping) -> None:
    axes.plot([entry["difference_low"], entry["difference_high"]], [row, row], color=BLUE,
              linewidth=2)  # fmt: skip
    axes.plot(entry["difference"], row, **_DOT)
    if not entry["compared_with"] and not entry[REFERENCE]:
        axes.text(
            0, row, "compared with", fontsize=7, color=GREY, ha="center", va="center",
            style="italic", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def _dress(left: Axes, right: Axes, table: pd.DataFrame, main: str) -> None:
    rows = range(len(table))
    names = [_name(entry) for entry in table.to_dict("records")]
    left.set_yticks(rows, names)
    left.set_ylim(len(table) - 0.4, -0.6)
    left.set_xlabel("accuracy [%]")
    right.set_xlabel(f"points above {main}")
    right.axvline(0, color=GREY, linestyle="--", linewidth=1)
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.04)
        for row in rows:
            axes.axhline(row, color=PALE, linewidth=0.5, zorder=0)


def _name(entry: Mapping) -> str:
    if entry[REFERENCE]:
        return f"{marked(entry)} (only the paper's number)"
    return f"{marked(entry)} ({entry['accuracy']:.1f} %, n = {entry['samples']})"


def _key(
    figure: Figure, runs: Sequence[Run], table: pd.DataFrame, positions: tuple[str, str],
    seed: Mapping,
) -> None:  # fmt: skip
    """The legend.

    positions: of the accuracies and of the differences. seed: style of a seed's marker.
    """
    handles = [Line2D([], [], linewidth=2, **_DOT)]
    accuracy, difference = positions
    names = [f"mean, 95 % interval ({accuracy}: Wilson; {difference}: paired t)"]
    if len({run.seed for run in runs}) > 1:
        handles.append(Line2D([], [], **seed))
        names.append("one seed")
    if table["paper"].notna().any():
        handles.append(Line2D([], [], **_PAPER))
        names.append("paper")
    key(figure, handles, names, columns=3)
