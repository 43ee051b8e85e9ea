"""results/{dataset}/metrics.json: the main variant, the media, and where the numbers come from."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mafnet import __version__
from mafnet.dataset.media import media_counts
from mafnet.files import digest_of
from mafnet.report.summary import Run, describe_weights, paper_value, read_run, summarise
from mafnet.video.ffmpeg import ffmpeg_version
from mafnet.video.table import read_media

PACKAGES = ("torch", "torchvision", "numpy", "h5py", "av", "snakemake")


def dataset_metrics(
    dataset: str, folders: Sequence[Path], media: Path, paper: Path, config_digest: str
) -> dict:
    """The metrics of one variant over the given runs, with counts of media and provenance."""
    runs = [read_run(folder) for folder in folders]
    variant = runs[0].metrics["variant"]
    return {
        "dataset": dataset,
        "variant": variant,
        **summarise(runs),
        "media": media_counts(read_media(media)),
        "paper": paper_value(paper, dataset, variant),
        "provenance": provenance(dataset, runs, config_digest),
    }


def provenance(dataset: str, runs: Sequence[Run], config_digest: str) -> dict:
    """Versions, weights, fingerprints and the command that makes these numbers."""
    features = runs[0].features
    return {
        "versions": {"mafnet": __version__, "ffmpeg": ffmpeg_version()} | _versions(),
        "weights": describe_weights(runs),
        "fingerprints": {name: digest_of(print_) for name, print_ in features.items()},
        "config": config_digest,
        "command": f"snakemake results/{dataset}/metrics.json",
    }


def _versions() -> dict[str, str | None]:
    """The installed versions of the packages that decide numbers."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
