"""Features before and after FiLM (paper, Figure 7), projected to two dimensions by t-SNE."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mafnet.model.data import Data
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import COLOURS, MARKERS, about, key, label, sheet, warnings_of
from mafnet.report.statistics.film_vectors import (
    FilmVectors,
    chance_share,
    film_vectors,
    same_class_share,
)

MOST_POINTS = 1500
"""Largest number of shown clips. More clips take minutes and hide each other."""

COLUMNS = 4
"""Columns of the legend."""

PERPLEXITY = 30
_TOO_FEW = 4
"""Largest number of clips that t-SNE cannot arrange."""


def film_space(inputs: Inputs) -> Figure:
    """Two panels, before and after FiLM, for each modality with a FiLM layer."""
    run = inputs.shown
    data = Data(inputs.splits[run.split], inputs.features, run.settings.classes)
    spaces = [_thinned(space) for space in film_vectors(run.folder, data)]
    lines = math.ceil(len(data.classes) / COLUMNS)
    subtitle = f"{about(inputs.dataset, [run])} · {len(spaces[0].labels):,} of their seconds"
    notes = warnings_of([run], spread=False)
    title = "Features before and after FiLM"
    figure = sheet(title, subtitle, 3.7 * len(spaces), notes, key_lines=lines)
    panels = figure.subplots(len(spaces), 2, squeeze=False)
    for row, space in zip(panels, spaces, strict=True):
        _panel(row[0], "before", space, space.before)
        _panel(row[1], "after", space, space.after)
    handles = [Line2D([], [], linestyle="", **_look(index)) for index in range(len(data.classes))]
    key(figure, handles, [label(name, 22) for name in data.classes], COLUMNS)
    return figure


def _thinned(space: FilmVectors) -> FilmVectors:
    """At most MOST_POINTS clips, chosen at random with a fixed seed, in their original order."""
    if len(space.labels) <= MOST_POINTS:
        return space
    drawn = np.random.default_rng(0).choice(len(space.labels), MOST_POINTS, replace=False)
    drawn.sort()
    arrays = (space.before, space.after, space.labels, space.videos)
    return FilmVectors(space.modality, *(array[drawn] for array in arrays))


def _panel(axes: Axes, when: str, space: FilmVectors, vectors: np.ndarray) -> None:
    """The points of one panel; the title has the share of nearest neighbours of the same class."""
    points = _two_dimensions(vectors)
    for index in np.unique(space.labels):
        mine = points[space.labels == index]
        axes.plot(mine[:, 0], mine[:, 1], linestyle="", **_look(int(index)))
    share = same_class_share(vectors, space.labels, space.videos)
    chance = chance_share(space.labels, space.videos)
    axes.set_title(f"{space.modality}, {when} FiLM: nearest of same class "
                   f"{100 * share:.0f} % (chance {100 * chance:.0f} %)", fontsize=8)  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.margins(0.05)


def _two_dimensions(vectors: np.ndarray) -> np.ndarray:
    """(N, 2) by t-SNE with a fixed seed; the first two features if there are too few points."""
    from sklearn.manifold import TSNE

    if len(vectors) < _TOO_FEW:
        return vectors[:, :2]
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(vectors)


def _look(index: int) -> dict:
    """Colour and marker of a class: 63 different pairs."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 4.5,
        "markeredgewidth": 0.4,
        "markeredgecolor": "white",
    }
