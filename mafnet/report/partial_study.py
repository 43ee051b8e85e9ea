"""A study with failed runs: the finished runs, and a message about each missing run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from mafnet.common.files import remove
from mafnet.common.terminal import printable
from mafnet.model.run_folder import RunFolder
from mafnet.report.statistics.runs import Run, grouped, read_run
from mafnet.report.study_table import print_study, study_table, write_study

MAX_MESSAGE = 200
"""Longest message of a failed run, in characters."""


def partial_study(
    dataset: str,
    output: Path,
    folders: Sequence[Path],
    paper: Path,
    protocol: Mapping,
    main: str,
    logs: Path = Path("logs/model"),
) -> bool:
    """Write and print the study of the finished runs if at least one unfinished run was started.

    output: the file of the complete study. The partial study is written next to it.
    folders: of all runs of the study, finished and unfinished.
    logs: folder of the logs of the rules that train and evaluate.
    Returns True if it wrote a study.
    """
    every = grouped(map(RunFolder, folders), "variant")
    runs: dict[str, list[Run]] = {
        variant: [read_run(run.path) for run in group if run.is_evaluated]
        for variant, group in every.items()
    }
    unfinished = [run for run in map(RunFolder, folders) if not run.is_evaluated]
    messages = {run: _last_message(dataset, run, logs) for run in unfinished}
    if not any(messages.values()) or not any(runs.values()):
        remove_stale(output, folders)
        return False
    missing = {
        variant: "; ".join(_describe(run, messages[run]) for run in group)
        for variant, group in grouped(unfinished, "variant").items()
    }
    table = study_table(dataset, runs, paper, protocol, main, output.stem, missing)
    write_study(table, partial_path(output))
    print_study(table, f"{dataset}: {output.stem}, unfinished: {partial_path(output)}", Console())
    return True


def remove_stale(output: Path, folders: Sequence[Path]) -> None:
    """Remove the partial study of an earlier failure if all runs of the study are finished."""
    if all(RunFolder(path).is_evaluated for path in folders):
        remove(partial_path(output))


def partial_path(output: Path) -> Path:
    """The path of a study or page with missing runs."""
    return output.with_suffix(f".partial{output.suffix}")


def _describe(run: RunFolder, message: str) -> str:
    """Split and seed of a missing run, and its last message."""
    return f"{run.split} seed{run.seed}: {message or 'not run'}"


def _last_message(dataset: str, run: RunFolder, logs: Path) -> str:
    """The last line in the log of a run's last step; empty if the run was not started."""
    for step in ("evaluate", "train", "evaluate_video", "finetune"):
        path = logs / step / f"{dataset}-{run.split}-{run.variant}-{run.seed}.log"
        if path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return printable(last)[:MAX_MESSAGE] or f"ended without a message, {path}"
    return ""
