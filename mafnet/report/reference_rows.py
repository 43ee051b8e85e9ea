"""Rows of the paper's tables that no variant of a study makes, and the marks of a study's rows."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mafnet.report.pretraining import MARK as PRETRAINED_MARK
from mafnet.report.pretraining import pretraining_notes

REFERENCE = "reference"
"""Column with the source of a row that has only the paper's number; empty in other rows."""

MARK = "‡"


def reference_rows(
    paper: Path, dataset: str, study: str, variants: Collection[str]
) -> list[dict[str, str | float]]:
    """The rows of the paper's table for a study that none of the variants makes.

    paper: resources/paper.tsv. dataset: its name there. study: the name of the study.
    """
    table = pd.read_csv(paper, sep="\t")
    own = (table["dataset"] == dataset) & (table["study"] == study)
    found = table[own & ~table["variant"].isin(list(variants))]
    columns = {"variant": "variant", "accuracy": "paper", "source": REFERENCE}
    return found[list(columns)].rename(columns=columns).to_dict("records")


def marked(row: Mapping[str, object]) -> str:
    """The name of a variant, with the marks that apply."""
    marks = PRETRAINED_MARK * (row["seen_in_pretraining"] == "yes") + MARK * bool(row[REFERENCE])
    return f"{row['variant']} {marks}".strip()


def mark_notes(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The explanation of each mark that a row has."""
    sources = dict.fromkeys(str(row[REFERENCE]) for row in rows if row[REFERENCE])
    note = f"{MARK} Only the number of {', '.join(sources)}: no variant of this study makes it."
    return [*pretraining_notes(rows), *([note] if sources else [])]
