"""Captions of the figures; pages and Snakemake's report show the same ones."""

from mafnet.common.errors import MafnetError
from mafnet.common.resources import SHARED

FOLDER = SHARED / "workflow/report"
"""One file for each figure, in plain paragraphs without markup."""


def caption(figure: str) -> str:
    """The caption of a figure by the stem of the figure's file: `curves`, `study-fusion`.

    MafnetError if the caption is missing.
    """
    path = FOLDER / f"{figure.partition('-')[0]}.rst"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MafnetError(f"figure {figure!r} has no caption; write {path}") from error
