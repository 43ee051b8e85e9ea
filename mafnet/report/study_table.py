"""A study: a table of variants, as in the paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing, require_unchanged
from mafnet.model.metrics import METRICS, percent
from mafnet.report.pretraining import COLUMNS as PRETRAINING
from mafnet.report.pretraining import pretraining_columns
from mafnet.report.protocol import compared, paper_name
from mafnet.report.reference_rows import REFERENCE, mark_notes, marked, reference_rows
from mafnet.report.statistics.paired import Comparison, compare, holm
from mafnet.report.statistics.runs import Run, count_test_samples
from mafnet.report.statistics.summary import (
    devices,
    metric_summaries,
    paper_value,
    precisions,
    random_weights,
    validation_accuracy,
)

OTHERS = [name for name in METRICS if name != "accuracy"]
"""All metrics except the accuracy, which has its own columns."""

TESTED = ("difference_p", "difference_p_holm", "resolvable", "seeds_to_halve")
"""Columns of the t test of a difference.

They are the p value; the p value adjusted for the rows of the study (Holm); the smallest difference
in points that the unadjusted test finds with 80 % power; the number of seeds that halves it, empty
if more seeds alone cannot."""

LEVEL = 0.05
"""A difference remains if its adjusted p value is below this level."""

COLUMNS = (
    "variant", "accuracy", "std", "ci_low", "ci_high", "ci_method", "val_accuracy", *OTHERS,
    "samples", "splits", "seeds", "compared_with", "difference", "difference_low",
    "difference_high", "difference_method", *TESTED, "paper", "missing", "random_weights",
    "precision", "device", "protocol", "as_paper", "not_as_paper", *PRETRAINING, REFERENCE,
    *(f"{name}_{part}" for name in OTHERS for part in ("std", "low", "high", "method")),
)  # fmt: skip

WIDTH = 120
"""Width of the table, in characters, if the output is no terminal. All columns fit."""


def study_table(
    dataset: str,
    variants: Mapping[str, Sequence[Run]],
    paper: Path,
    protocol: Mapping,
    main: str,
    study: str = "",
    missing: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row for each variant: every metric in its unit, with its interval.

    Rows of the paper's table that no variant makes follow, with the paper's number only.

    variants: the finished runs of each variant; a variant may have none.
    protocol: of `read_protocol`.
    main: the others are compared with this variant if it is in the study.
    study: the study's name; it selects the paper's table.
    missing: by variant, a message about its missing runs.
    """
    named = paper_name(dataset, protocol)
    rows = []
    differences = compared_with_main(variants, main)
    for name, runs in variants.items():
        own = compared(protocol, runs)
        row = {
            "variant": name,
            "paper": paper_value(paper, named, name),
            "protocol": own["name"],
            "as_paper": _yes_or_no(own["as_paper"]),
            "not_as_paper": "; ".join(own["differences"]),
        }
        row["missing"] = missing.get(name, "")
        if runs:
            row |= _measured(runs) | pretraining_columns(dataset, runs, protocol)
        if name in differences:
            row |= _compared(*differences[name], main)
        rows.append(row)
    rows += reference_rows(paper, named, study, variants)
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def compared_with_main(
    variants: Mapping[str, Sequence[Run]], main: str
) -> dict[str, tuple[Comparison, float]]:
    """Each other variant's comparison with the main one, and its adjusted p value."""
    pairs = {name: compare(runs, variants.get(main, ())) for name, runs in variants.items()}
    found = {name: pair for name, pair in pairs.items() if pair and name != main}
    adjusted = holm([pair.estimate.p_value for pair in found.values()])
    return dict(zip(found, zip(found.values(), adjusted, strict=True), strict=True))


def _compared(found: Comparison, adjusted: float, main: str) -> dict:
    """The columns that compare a variant with the main one."""
    return {
        "compared_with": main,
        "difference": found.difference,
        "difference_low": found.interval.low,
        "difference_high": found.interval.high,
        "difference_method": f"{found.interval.method}; pairs of runs: {found.runs}",
        "difference_p": _significant(found.estimate.p_value),
        "difference_p_holm": _significant(adjusted),
        "resolvable": percent(found.estimate.resolvable),
        "seeds_to_halve": found.estimate.seeds_to_halve,
    }


def _significant(value: float) -> float:
    """A p value with three significant digits."""
    return float(f"{value:.3g}")


def _measured(runs: Sequence[Run]) -> dict:
    """The columns that need no other variant."""
    found = metric_summaries(runs)
    low, high = found["accuracy"]["ci95"]
    return {
        "accuracy": found["accuracy"]["mean"],
        "std": found["accuracy"]["std"],
        "ci_low": low,
        "ci_high": high,
        "ci_method": found["accuracy"]["ci_method"],
        **{key: cell for name in OTHERS for key, cell in _cells_of(name, found[name]).items()},
        "val_accuracy": validation_accuracy(runs),
        "samples": count_test_samples(runs),
        "splits": len({run.split for run in runs}),
        "seeds": len({run.seed for run in runs}),
        "random_weights": " ".join(random_weights(runs)),
        "precision": " ".join(precisions(runs)),
        "device": "; ".join(devices(runs)),
    }


def _cells_of(name: str, found: Mapping | None) -> dict:
    """The columns of a metric other than the accuracy; empty if it does not apply."""
    if found is None:
        return {}
    low, high = found["ci95"]
    return {
        name: found["mean"],
        f"{name}_std": found["std"],
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_method": found["ci_method"],
    }


def _yes_or_no(known: bool | None) -> str:
    return "" if known is None else "yes" if known else "no"


def write_study(table: pd.DataFrame, path: Path) -> None:
    """Write a study as CSV."""
    with replacing(path, sealed=True) as beside:
        table.to_csv(beside, index=False, lineterminator="\n")


def read_study(path: Path) -> pd.DataFrame:
    """Read a study; MafnetError if the file is damaged or not a study."""
    require_unchanged(path)
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=str)
    except (OSError, ValueError) as error:
        raise MafnetError(f"{path}: cannot be read as a study ({error})") from error
    for column in (*PRETRAINING, REFERENCE):
        if column not in table:
            table[column] = ""
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise MafnetError(
            f"{path}: is not a study of this version, because columns are missing "
            f"({', '.join(missing)}); make the study again"
        )
    return table


def print_study(table: pd.DataFrame, title: str, console: Console) -> None:
    """Print a study with the notes that a reader needs."""
    rows = table.where(table.notna(), "").astype(str).to_dict("records")
    shown = Table(title=escape(title), title_justify="left", caption_justify="left", box=SIMPLE)
    shown.caption = _caption(rows)
    shown.add_column("variant", overflow="fold", min_width=12)
    main = next((row["compared_with"] for row in rows if row["compared_with"]), "")
    compared = [f"to {main} (95 %)"] if main else []
    clips = ["clips %"] if any(row["clip_accuracy"] for row in rows) else []
    headings = ("accuracy %", "95 %", *clips, "val %", "balanced %", *compared, "test", "seeds",
                "paper %")  # fmt: skip
    for heading in headings:
        shown.add_column(escape(heading), justify="right", overflow="fold")
    for row in rows:
        shown.add_row(*map(escape, _cells(row, bool(main), bool(clips))))
    console.width = max(console.width, WIDTH) if not console.is_terminal else console.width
    console.print(shown)
    for row in rows:
        if row["missing"]:
            console.print(f"missing: {row['variant']}: {row['missing']}", markup=False)


def _cells(row: Mapping[str, str], compared: bool, clips: bool) -> list[str]:
    """The cells of a row on the terminal."""
    accuracy = f"{row['accuracy']} ± {row['std']}" if row["std"] else row["accuracy"]
    difference = [_difference(row)] if compared else []
    of_clips = [row["clip_accuracy"]] if clips else []
    ends = (float(row[end]) for end in ("ci_low", "ci_high") if row[end])
    interval = " to ".join(f"{end:.1f}" for end in ends)
    return [
        marked(row) + (" *" if row["missing"] else ""), accuracy, interval, *of_clips,
        row["val_accuracy"], row["balanced_accuracy"], *difference, row["samples"], row["seeds"],
        row["paper"] or "-",
    ]  # fmt: skip


def _difference(row: Mapping[str, str]) -> str:
    """A difference with its interval, all with signs; a mark if it remains after Holm."""
    if not row["difference"]:
        return ""
    names = ("difference", "difference_low", "difference_high")
    text = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(float(row[name]) for name in names))
    return text + (" !" if remains(row) else "")


def remains(row: Mapping[str, str]) -> bool:
    """True if the difference remains after the correction for the rows of the study."""
    return bool(row["difference_p_holm"]) and float(row["difference_p_holm"]) < LEVEL


def resolution(rows: Sequence[Mapping[str, str]]) -> str:
    """The differences that a study can find, and the seeds that would halve them; or nothing."""
    compared = [row for row in rows if row["resolvable"]]
    if not compared:
        return ""
    text = (
        "Smallest difference that one comparison finds with 80 % power: "
        f"{_range([float(row['resolvable']) for row in compared], 1)} points."
    )
    seeds = [int(float(row["seeds_to_halve"])) for row in compared if row["seeds_to_halve"]]
    if not seeds:
        return f"{text} More seeds alone cannot halve it, or there is only one seed."
    rest = " More seeds alone cannot halve it for the other rows." * (len(seeds) < len(compared))
    return f"{text} Half of it needs {_range(seeds, 0)} seeds.{rest}"


def _range(values: Sequence[float], digits: int) -> str:
    low, high = (f"{end:.{digits}f}" for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _caption(rows: Sequence[Mapping[str, str]]) -> str:
    """How to read the table, with a warning if backbones have random weights."""
    lines = ["mean ± standard deviation over seeds; interval: Wilson, over seeds and test samples"]
    if any(row["compared_with"] for row in rows):
        lines += [
            "difference, same splits and seeds: Student's t over seeds and test samples",
            f"! remains after Holm's correction for the rows of the study (p < {LEVEL})",
            resolution(rows),
        ]
    if any(row["seeds"] == "1" for row in rows):
        lines.append(
            "One seed: no standard deviation; the intervals say nothing about other seeds."
        )
    if any(row["missing"] for row in rows):
        lines.append("* Runs are missing, see below.")
    if any(row["random_weights"] for row in rows):
        lines.append(
            "Backbones with RANDOM weights: these numbers say nothing about real networks."
        )
    notes = [*unlike_paper(rows), *mark_notes(rows), *unlike_precision(rows)]
    return escape("\n".join([*lines, *notes]))


def unlike_paper(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Sentences about what differs from the paper's settings, if the paper has a number."""
    texts = [row["not_as_paper"] for row in rows if row["paper"]]
    parts = dict.fromkeys(part for text in texts for part in text.split("; ") if part)
    return [f"Not as in the paper: {'; '.join(parts)}."] if parts else []


def unlike_precision(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A sentence if the runs of a study have different precisions, which it names."""
    named = {row["variant"]: row["precision"] for row in rows if row["precision"]}
    if len(set(" ".join(named.values()).split())) < 2:
        return []
    listed = ", ".join(f"{variant} {found}" for variant, found in named.items())
    return [f"The runs have different precisions: {listed}."]
