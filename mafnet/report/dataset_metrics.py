"""results/{dataset}/metrics.json: the main variant, the media and the provenance of the numbers."""

import logging
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mafnet import __version__
from mafnet.common.ffmpeg import ffmpeg_version
from mafnet.common.files import digest_of
from mafnet.common.run_command import recorded_command
from mafnet.features.media_table import media_counts
from mafnet.report.protocol import compared, paper_name, protocol_notes, untrained_notes
from mafnet.report.statistics.runs import Run, read_run
from mafnet.report.statistics.summary import (
    describe_weights,
    devices,
    paper_value,
    precisions,
    random_weights,
    summarise,
    validation_accuracy,
)
from mafnet.video.media import read_media

SNAKEMAKE = "MAFNET_SNAKEMAKE_VERSION"
"""Environment variable: the version of the Snakemake that runs the workflow."""
PACKAGES = ("torch", "torchvision", "numpy", "h5py", "av", "snakemake")


def dataset_metrics(
    dataset: str,
    folders: Sequence[Path],
    media: Path,
    paper: Path,
    protocol: dict,
    config_digest: str,
    leaks: Sequence[str] = (),
) -> dict:
    """The metrics of one variant over the given runs, with counts of media and provenance.

    protocol: of `read_protocol`. leaks: notes of mafnet screen.
    """
    runs = [read_run(folder) for folder in folders]
    variant = runs[0].variant
    protocol = compared(protocol, runs)
    value = paper_value(paper, paper_name(dataset, protocol), variant)
    found = summarise(runs)
    notes = protocol_notes(protocol, random_weights(runs), value)
    return {
        "dataset": dataset,
        "variant": variant,
        "val_accuracy": validation_accuracy(runs),
        **found,
        "media": media_counts(read_media(media)),
        "paper": value,
        "protocol": protocol,
        "notes": [*notes, *shared_notes(runs), *leaks, *untrained_notes(found["per_class"])],
        "provenance": provenance(dataset, runs, config_digest),
    }


def shared_notes(runs: Sequence[Run]) -> list[str]:
    """A note for each split with test samples whose video or group is also in train."""
    found = {run.split: (run.metrics["in_train"], run.metrics["samples"]) for run in runs}
    return [
        f"{split}: {shared} of {samples} test samples have a video or group that is also in train"
        for split, (shared, samples) in found.items()
        if shared
    ]


def log_metrics(metrics: dict, log: logging.Logger) -> None:
    """Log the accuracy, the paper's accuracy and the notes that a comparison needs."""
    found, paper = metrics["accuracy"], metrics["paper"]
    spread = "" if found["std"] is None else f" ± {found['std']}"
    low, high = found["ci95"]
    log.info(
        "%s, %s, protocol %s: accuracy %s%s %% (95 %% interval %s to %s); the paper: %s",
        metrics["dataset"], metrics["variant"], metrics["protocol"]["name"], found["mean"],
        spread, low, high, "none" if paper is None else f"{paper} %",
    )  # fmt: skip
    for note in metrics["notes"]:
        log.info("note: %s", note)


def provenance(dataset: str, runs: Sequence[Run], config_digest: str) -> dict:
    """Versions, weights, fingerprints and the command that computes these numbers."""
    features = runs[0].settings.features
    return {
        "versions": {"mafnet": __version__, "ffmpeg": ffmpeg_version()} | _versions(),
        "weights": describe_weights(runs),
        "precision": precisions(runs),
        "trained_on": devices(runs),
        "fingerprints": {name: digest_of(print_) for name, print_ in features.items()},
        "config": config_digest,
        "command": recorded_command(f"results/{dataset}/metrics.json"),
    }


def _versions() -> dict[str, str | None]:
    """The installed versions of the packages that the numbers depend on.

    The environment of a rule has no Snakemake, so the workflow names its version.
    """
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = os.environ.get(SNAKEMAKE) if package == "snakemake" else None
    return found
