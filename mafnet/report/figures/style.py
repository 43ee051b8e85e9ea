"""The style of all figures: fonts, colours, titles and warnings.

The colours are those of Okabe and Ito, for all kinds of colour vision. Nothing depends on colour
alone: lines also differ in style, points in shape, bars in hatching.
"""

import unicodedata
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mafnet.common.terminal import printable
from mafnet.report.statistics.runs import Run, count_test_samples

BLACK, GREY, PALE = "#000000", "#666666", "#dddddd"
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
DARK_GREEN, DARK_RED = "#00664B", "#A33F00"
"""For text on white, which needs more contrast than lines."""

COLOURS = (BLUE, RED, GREEN, PURPLE, BLACK, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES = ("-", "--", ":", "-.")

MODALITY_COLOURS = {"visual": BLUE, "audio": RED}
MODALITY_MARKERS = {"visual": "o", "audio": "s"}
MODALITY_HATCHES = {"visual": "", "audio": "////"}

WIDTH = 7.5
"""Width of a figure in inches, that of a printed page."""

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    # Labels come from user data, so a dollar sign is no formula.
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    # Text stays text: it can be searched and read aloud, and it is small.
    "svg.fonttype": "none",
}
"""matplotlib's settings for drawing and writing a figure."""

HEADER, _LINE, _MARGIN = 0.55, 0.17, 0.1
"""Inches: above the axes for the title, for each line of the legend or the notes, left margin."""


def sheet(
    title: str, about: str, height: float, notes: Sequence[str] = (), key_lines: int = 0
) -> Figure:
    """An empty figure with a title, a subtitle, and notes at the bottom.

    about: the subtitle.

    height: of the axes, in inches; title, legend and notes are added to it.
    key_lines: number of lines of the `key` below the title.
    """
    head = HEADER + _LINE * key_lines
    foot = _LINE * len(notes) + (0.08 if notes else 0)
    total = head + height + foot
    figure = Figure(figsize=(WIDTH, total), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(rect=(0, foot / total, 1, height / total), w_pad=0.1)
    left = _MARGIN / WIDTH
    figure.text(left, 1 - 0.08 / total, title, va="top", fontsize=11, weight="bold")
    figure.text(left, 1 - 0.3 / total, about, va="top", fontsize=8, color=GREY)
    for line, note in enumerate(reversed(notes)):
        below = (0.06 + _LINE * line) / total
        figure.text(left, below, note, va="bottom", fontsize=8, color=BLACK, style="italic")
    return figure


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a position of a sheet, in inches from the left and from below the title."""
    figure.set_layout_engine("none")
    total = figure.get_figheight()
    bottom = total - HEADER - top - height
    return figure.add_axes((left / WIDTH, bottom / total, width / WIDTH, height / total))


def about(dataset: str, runs: Sequence[Run], tested: bool = True) -> str:
    """Data set, variant, splits and seeds in one line, with the test samples if `tested`."""
    splits = list(dict.fromkeys(run.split for run in runs))
    seeds = sorted({run.seed for run in runs})
    variants = list(dict.fromkeys(run.variant for run in runs))
    parts = [dataset, *(variants if len(variants) == 1 else [])]
    parts += [f"{len(splits)} splits"] if len(splits) > 1 else []
    parts += [f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"]
    parts += [f"{count_test_samples(runs):,} test samples"] * tested
    return " · ".join(parts)


def warnings_of(runs: Sequence[Run], spread: bool = True) -> list[str]:
    """Warnings about the runs that a reader of the figure needs.

    spread: the figure shows how much the seeds differ.
    """
    random = sorted({name for run in runs for name in run.metrics["random_weights"]})
    notes = [f"RANDOM weights ({', '.join(random)} backbone): says nothing about real networks."]
    notes = notes if random else []
    if spread and len({run.seed for run in runs}) == 1:
        notes.append("One seed: this figure says nothing about other seeds.")
    return notes


def label(name: str, width: int = 28) -> str:
    """A name from user data as it is shown: printable and at most `width` columns wide."""
    text = printable(name).replace("\n", " ")
    if columns_of(text) <= width:
        return text
    while text and columns_of(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def columns_of(text: str) -> int:
    """The number of terminal columns of a text. It approximates the width in other fonts."""
    return sum(
        0 if unicodedata.combining(character)
        else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )  # fmt: skip


def key(figure: Figure, handles: Sequence[Line2D], names: Sequence[str], columns: int) -> None:
    """Draw the legend below the title of a sheet with `key_lines`."""
    top = 1 - (HEADER - 0.06) / figure.get_figheight()
    # matplotlib would leave out names that begin with an underscore.
    numbers = [str(number) for number in range(len(names))]
    found = figure.legend(
        list(handles), numbers, loc="upper left", ncols=columns, bbox_to_anchor=(0.03 / WIDTH, top)
    )
    found.set_in_layout(False)
    for text, name in zip(found.get_texts(), names, strict=True):
        text.set_text(name)
