"""Captions of the figures: how to read them, the same in Snakemake's report and in ours."""

from mafnet.common.errors import MafnetError
from mafnet.common.resources import SHARED

FOLDER = SHARED / "workflow/report"
"""One file a figure, plain paragraphs without markup."""


def caption(figure: str) -> str:
    """The caption of a figure, named by the stem of its file: `curves`, `study-fusion`.

    MafnetError for a figure that has none.
    """
    path = FOLDER / f"{figure.partition('-')[0]}.rst"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MafnetError(f"figure {figure!r} has no caption; write {path}") from error
