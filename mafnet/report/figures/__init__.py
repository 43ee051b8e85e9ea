"""The registry of figures: a new figure needs a module and an entry here.

It must not import matplotlib, because the workflow reads it at every start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FigureSpec:
    """The entry of a figure.

    location: "module:function"; the function returns a matplotlib figure of `Inputs`.
    needs: required fields of `Inputs`, in addition to the runs.
    always: True if every main variant has the figure.
    """

    name: str
    location: str
    needs: tuple[str, ...] = ()
    always: bool = False


_PACKAGE = "mafnet.report.figures"
_VIDEOS = ("splits", "media", "root")

FIGURES = {
    spec.name: spec
    for spec in (
        FigureSpec("curves", f"{_PACKAGE}.curves:curves", always=True),
        FigureSpec("confusion", f"{_PACKAGE}.confusion:confusion", always=True),
        FigureSpec("classes", f"{_PACKAGE}.classes:classes", always=True),
        FigureSpec("timeline", f"{_PACKAGE}.timeline:timeline", _VIDEOS, always=True),
        FigureSpec("film_space", f"{_PACKAGE}.film_space:film_space", ("splits", "features")),
        FigureSpec("event_attention", f"{_PACKAGE}.event_attention:event_attention", ("splits",)),
        FigureSpec("examples", f"{_PACKAGE}.examples:examples", _VIDEOS),
        FigureSpec("study", f"{_PACKAGE}.study:study", ("study",)),
    )
}


def main_figures(film: bool, events: bool) -> list[str]:
    """The figures of a main variant, by name, in the order of a report.

    film: the variant has FiLM. events: the data set has the times of its events.
    """
    always = [spec.name for spec in FIGURES.values() if spec.always]
    return [*always, *["film_space"] * film, *["event_attention"] * events]


def study_figures(studies: Iterable[str]) -> list[str]:
    """The figures that compare variants: one for each study, and the examples."""
    return [*(f"study-{study}" for study in studies), "examples"]


EXAMPLE_STUDY = "modalities"
EXAMPLE_EXTRA = ("no_film", "i3d", "r2plus1d", "slowfast", "mars")
"""Figure `examples` (paper, Figure 5) shows the variants of EXAMPLE_STUDY, and those of
EXAMPLE_EXTRA that any study has."""


def example_variants(main: str, studies: Mapping[str, Sequence[str]]) -> list[str]:
    """The variants in the figure `examples`, the main one first."""
    compared = {name for names in studies.values() for name in names}
    extra = [name for name in EXAMPLE_EXTRA if name in compared]
    return list(dict.fromkeys([main, *studies.get(EXAMPLE_STUDY, ()), *extra]))
