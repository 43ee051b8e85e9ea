"""Section `studies`: the studies of the config as tables, and their missing runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mafnet.report.partial_study import partial_path
from mafnet.report.reference_rows import mark_notes, marked
from mafnet.report.study_table import (
    read_study,
    remains,
    resolution,
    unlike_paper,
    unlike_precision,
)


@dataclass(frozen=True)
class Row:
    """A variant of a study: numbers in percent and percentage points, None if missing.

    shown: the variant with its marks. clips: accuracy of single clips, for video networks.
    difference_p: p value of the difference, adjusted for the rows of the study (Holm).
    remains: whether the difference remains after this correction.
    """

    variant: str
    shown: str
    accuracy: float | None
    std: float | None
    low: float | None
    high: float | None
    val: float | None
    balanced: float | None
    clips: float | None
    samples: int | None
    splits: int | None
    seeds: int | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    difference_p: float | None
    remains: bool
    paper: float | None
    missing: str


@dataclass(frozen=True)
class StudySection:
    """A study: its rows, and the main variant that they are compared with.

    methods: of the intervals. notes: sentences. problem: the reason if there are no rows.
    """

    name: str
    rows: list[Row]
    main: str = ""
    methods: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def has_paper(self) -> bool:
        """True if the paper has a number for any of the variants."""
        return any(row.paper is not None for row in self.rows)

    @property
    def has_clips(self) -> bool:
        """True if the study has a video network."""
        return any(row.clips is not None for row in self.rows)

    @property
    def missing(self) -> list[Row]:
        """The variants with missing runs."""
        return [row for row in self.rows if row.missing]


def study_sections(paths: Sequence[Path]) -> list[StudySection]:
    """The sections of all studies; an unfinished study shows its finished runs."""
    return [_section(path) for path in paths]


def _section(path: Path) -> StudySection:
    # Writing the complete study removes the partial one. If both exist, the complete one is older.
    found = partial_path(path) if partial_path(path).exists() else path
    if not found.exists():
        return StudySection(
            path.stem, [], problem=f"This study does not exist yet: {path} is missing."
        )
    rows = read_study(found).to_dict("records")
    main = next((row["compared_with"] for row in rows if row["compared_with"]), "")
    methods = [row[key] for row in rows for key in ("ci_method", "difference_method") if row[key]]
    return StudySection(
        path.stem, list(map(_row, rows)), main, tuple(dict.fromkeys(methods)), tuple(_notes(rows))
    )


def _row(row: Mapping[str, str]) -> Row:
    numbers = ("accuracy", "std", "ci_low", "ci_high", "val_accuracy", "balanced_accuracy",
               "clip_accuracy")  # fmt: skip
    counts = ("samples", "splits", "seeds")
    compared = ("difference", "difference_low", "difference_high", "difference_p_holm")
    return Row(
        row["variant"],
        marked(row),
        *(_number(row[name]) for name in numbers),
        *(int(float(row[name])) if row[name] else None for name in counts),
        *(_number(row[name]) for name in compared),
        remains(row),
        _number(row["paper"]),
        row["missing"],
    )


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _notes(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Notes that a reader of the table needs."""
    notes = [resolution(rows)] if resolution(rows) else []
    notes += mark_notes(rows)
    if any(row["seeds"] == "1" for row in rows):
        notes.append(
            "One seed: no standard deviation; the intervals say nothing about other seeds."
        )
    return notes + unlike_paper(rows) + unlike_precision(rows)
