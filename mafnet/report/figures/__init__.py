"""The registry of figures: one module and one entry here for a new one.

Read without importing matplotlib, so that the workflow can ask which figures a data set has.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FigureSpec:
    """What is known of a figure without drawing it.

    location: "module:function"; the function makes a matplotlib figure of `Inputs`.
    needs: fields of `Inputs` that must be given besides the runs.
    """

    name: str
    location: str
    needs: tuple[str, ...] = ()


_PACKAGE = "mafnet.report.figures"
_VIDEOS = ("splits", "media", "root")

FIGURES = {
    spec.name: spec
    for spec in (
        FigureSpec("curves", f"{_PACKAGE}.curves:curves"),
        FigureSpec("confusion", f"{_PACKAGE}.confusion:confusion"),
        FigureSpec("classes", f"{_PACKAGE}.classes:classes"),
        FigureSpec("timeline", f"{_PACKAGE}.timeline:timeline", _VIDEOS),
        FigureSpec("film_space", f"{_PACKAGE}.film_space:film_space", ("splits", "features")),
        FigureSpec("event_attention", f"{_PACKAGE}.event_attention:event_attention", ("splits",)),
        FigureSpec("examples", f"{_PACKAGE}.examples:examples", _VIDEOS),
        FigureSpec("study", f"{_PACKAGE}.study:study", ("study",)),
    )
}

ALWAYS = ("curves", "confusion", "classes", "timeline")
"""The figures of every main variant."""


def main_figures(film: bool, events: bool) -> list[str]:
    """The figures of a main variant, by name, in the order of a report.

    film: the variant has FiLM. events: the data set says when its events happen.
    """
    return [*ALWAYS, *["film_space"] * film, *["event_attention"] * events]


def study_figures(studies: Iterable[str]) -> list[str]:
    """The figures of a comparison of variants: a study each, and some examples."""
    return [*(f"study-{study}" for study in studies), "examples"]
