"""What a study shows when runs of it failed: the others, and which are missing and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from mafnet.common.terminal import printable
from mafnet.report.statistics.summary import Run, read_run
from mafnet.report.study import print_study, study_table, write_study

MAX_WORDS = 200
"""Characters of a failed run's last words."""


def partial_study(
    dataset: str,
    output: Path,
    folders: Sequence[Path],
    paper: Path,
    protocol: Mapping,
    main: str,
    logs: Path = Path("logs/model"),
) -> bool:
    """Write and show the study of the runs that there are, if one of the others was tried.

    output: of the whole study; the partial one lies beside it, until that is made.
    folders: of all runs of the study, {split}/{variant}/seed{seed}, finished or not.
    logs: where rules `train` and `evaluate` keep their logs.
    Returns whether it wrote one.
    """
    runs: dict[str, list[Run]] = {folder.parent.name: [] for folder in folders}
    missing: dict[str, list[str]] = {}
    tried = False
    for folder in folders:
        if (folder / "metrics.json").exists():
            runs[folder.parent.name].append(read_run(folder))
        else:
            words = _last_words(dataset, folder, logs)
            tried = tried or bool(words)
            missing.setdefault(folder.parent.name, []).append(_describe(folder, words))
    if not tried or not any(runs.values()):
        return False
    missing_words = {variant: "; ".join(words) for variant, words in missing.items()}
    table = study_table(dataset, runs, paper, protocol, main, missing_words)
    write_study(table, partial_path(output))
    print_study(table, f"{dataset}: {output.stem}, unfinished: {partial_path(output)}", Console())
    return True


def partial_path(output: Path) -> Path:
    """Where the study lies while runs of it are missing."""
    return output.with_suffix(".partial.csv")


def _describe(folder: Path, words: str) -> str:
    """Which run is missing, and what it said last."""
    name = f"{folder.parent.parent.name} {folder.name}"
    return f"{name}: {words}" if words else f"{name}: not run"


def _last_words(dataset: str, folder: Path, logs: Path) -> str:
    """The last line in the log of a run's last step; empty if it was not tried."""
    split, variant, seed = folder.parts[-3], folder.parts[-2], folder.name.removeprefix("seed")
    for step in ("evaluate", "train"):
        path = logs / step / f"{dataset}-{split}-{variant}-{seed}.log"
        if path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return printable(last)[:MAX_WORDS] or f"ended without a word, {path}"
    return ""
