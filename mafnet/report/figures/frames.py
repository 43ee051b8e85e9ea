"""Frames in figures, and the text about a prediction."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mafnet.model.predictions import Prediction
from mafnet.report.figures.style import DARK_GREEN, DARK_RED, PALE, label
from mafnet.report.video_frames import Frames

RIGHT, WRONG = "✓", "✗"

Box = tuple[float, float, float, float]
"""Left, right, bottom and top in the units of some axes."""


def usual_aspect(frames: Iterable[Frames]) -> float:
    """Median of width divided by height of the frames, limited to 1 to 16/9."""
    aspects = [found.aspect for found in frames if found.images]
    return min(max(float(np.median(aspects)), 1.0), 16 / 9) if aspects else 4 / 3


def show_frame(axes: Axes, image: np.ndarray, aspect: float, box: Box, shape: float) -> None:
    """Draw a frame in the middle of a box of the axes.

    aspect: width divided by height of the frame. shape: the same of the box, in inches.
    """
    left, right, bottom, top = box
    wide, high = min(1, aspect / shape), min(1, shape / aspect)
    dx, dy = (right - left) * (1 - wide) / 2, (top - bottom) * (1 - high) / 2
    extent = (left + dx, right - dx, bottom + dy, top - dy)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="none", zorder=2)


def show_problem(axes: Axes, problem: str, box: Box) -> None:
    """Draw a grey box with the reason why there is no frame."""
    left, right, bottom, top = box
    size = (right - left, top - bottom)
    axes.add_patch(
        Rectangle((left, bottom), *size, facecolor=PALE, edgecolor="white", hatch="//", linewidth=0)
    )
    axes.text(
        (left + right) / 2, (bottom + top) / 2, f"no frames: {label(problem, 24)}", ha="center",
        va="center", fontsize=7, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def verdict(found: Prediction, width: int = 24) -> tuple[str, str]:
    """The predicted class with its probability and whether it is right, and the text's colour."""
    right = found.predicted == found.label
    mark, colour = (RIGHT, DARK_GREEN) if right else (WRONG, DARK_RED)
    return f"{mark} {label(found.predicted, width)} {100 * found.probability:.0f} %", colour
