"""A study: a table of variants, as the paper prints them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mafnet.errors import MafnetError
from mafnet.files import replacing
from mafnet.report.protocol import paper_name
from mafnet.report.summary import Run, measures, paper_value, random_weights

COLUMNS = (
    "variant", "accuracy", "std", "ci_low", "ci_high", "balanced_accuracy", "macro_f1",
    "samples", "splits", "seeds", "paper", "random_weights", "protocol", "as_paper",
)  # fmt: skip

HEADINGS = (
    "accuracy %", "95 % interval", "balanced %", "macro F1 %", "test", "seeds", "paper %",
)  # fmt: skip


def study_table(
    dataset: str, variants: Mapping[str, Sequence[Run]], paper: Path, protocol: Mapping
) -> pd.DataFrame:
    """One row a variant; accuracies in percent.

    protocol: what `read_protocol` gives.
    """
    named = paper_name(dataset, protocol)
    measured = {"protocol": protocol["name"], "as_paper": _yes_or_no(protocol["as_paper"])}
    rows = [_row(named, name, runs, paper) | measured for name, runs in variants.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(dataset: str, variant: str, runs: Sequence[Run], paper: Path) -> dict:
    """One variant's row."""
    found = measures(runs)
    by_split = {run.metrics["split"]: run.metrics["samples"] for run in runs}
    low, high = found["accuracy"]["ci95"]
    return {
        "variant": variant,
        "accuracy": found["accuracy"]["mean"],
        "std": found["accuracy"]["std"],
        "ci_low": low,
        "ci_high": high,
        "balanced_accuracy": found["balanced_accuracy"]["mean"],
        "macro_f1": found["macro_f1"]["mean"],
        "samples": sum(by_split.values()),
        "splits": len(by_split),
        "seeds": len({run.metrics["seed"] for run in runs}),
        "paper": paper_value(paper, dataset, variant),
        "random_weights": " ".join(random_weights(runs)),
    }


def _yes_or_no(known: bool | None) -> str:
    return "" if known is None else "yes" if known else "no"


def write_study(table: pd.DataFrame, path: Path) -> None:
    """Write a study as CSV."""
    with replacing(path) as beside:
        table.to_csv(beside, index=False, lineterminator="\n")


def read_study(path: Path) -> pd.DataFrame:
    """Read a study; MafnetError if the file is none."""
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=str)
    except (OSError, ValueError) as error:
        raise MafnetError(f"{path}: cannot be read as a study ({error})") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise MafnetError(f"{path}: is not a study; it has no column {', '.join(missing)}")
    return table


def print_study(table: pd.DataFrame, title: str, console: Console) -> None:
    """Show a study on the terminal, with what must be known to read it."""
    shown = Table(title=escape(title), title_justify="left", caption_justify="left")
    shown.caption = _caption(table)
    shown.add_column("variant", no_wrap=True)
    for heading in HEADINGS:
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in table.fillna("").astype(str).to_dict("records"):
        spread = f" ± {row['std']}" if row["std"] else ""
        shown.add_row(
            escape(row["variant"]), f"{row['accuracy']}{spread}",
            f"{row['ci_low']} to {row['ci_high']}", row["balanced_accuracy"], row["macro_f1"],
            row["samples"], row["seeds"], row["paper"] or "-",
        )  # fmt: skip
    console.print(shown)


def _caption(table: pd.DataFrame) -> str:
    """How to read the table, and a warning where the backbones knew nothing."""
    text = "mean ± standard deviation over seeds; interval: Wilson, over test samples"
    if table["random_weights"].astype(str).str.len().any():
        text += "\nBackbones with RANDOM weights: these figures say nothing about real networks."
    if (table["as_paper"] == "no").any():
        text += f"\nProtocol {table['protocol'].iloc[0]} differs from the paper's."
    return text
