"""What mafnet sees on this machine, and in a collection of videos."""

import os
import shutil
from pathlib import Path

import click

from mafnet import __version__
from mafnet.common import options
from mafnet.common.errors import MafnetError
from mafnet.common.resources import SHARED, missing


@click.command()
@click.option(
    "--cache", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "cache"),
    help="Folder of the cache.",
)  # fmt: skip
@click.option(
    "--weights", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "weights_folder"),
    help="Folder of downloaded weights.",
)  # fmt: skip
@click.option(
    "--videos", type=click.Path(exists=True, path_type=Path),
    help="Check a folder of videos, or those of a manifest, instead of the machine.",
)  # fmt: skip
@click.option("--root", type=options.folder, help="Folder of the manifest's videos, if another.")
@click.option(
    "--clips", type=click.IntRange(1),
    **options.config_default("video.config:VideoSection", "clips"),
    help="Seconds of each video that are decoded.",
)  # fmt: skip
@click.option("--list", "fetch", type=options.new_file, help="Write what to fetch again here.")
@click.option(
    "--threads", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
    help="Videos that are checked at a time.",
)  # fmt: skip
def doctor(
    cache: Path,
    weights: Path,
    videos: Path | None,
    root: Path | None,
    clips: int,
    fetch: Path | None,
    threads: int,
) -> None:
    """Say what mafnet sees on this machine, or check --videos; exit 1 if something is wrong."""
    if videos:
        _check(videos, root, clips, fetch, threads)
    else:
        _machine(cache, weights)


def _check(place: Path, root: Path | None, clips: int, fetch: Path | None, threads: int) -> None:
    """Show the outcomes of a collection; MafnetError if a video cannot be used."""
    from rich.console import Console

    from mafnet.features.media_table import media_counts, outcome_table
    from mafnet.features.video_check import check_videos, find_videos, write_fetch_list
    from mafnet.video.config import VideoSettings

    rows = check_videos(*find_videos(place, root), VideoSettings(clips=clips), threads)
    Console().print(outcome_table(rows, str(place)))
    if fetch:
        click.echo(f"{write_fetch_list(rows, fetch)} videos to fetch again are listed in {fetch}")
    failed = media_counts(rows)["failed"]
    if failed:
        hint = "" if fetch else "; --list FILE writes what to fetch again"
        raise MafnetError(f"{failed} of {len(rows)} videos cannot be used{hint}")


def _machine(cache: Path, weights: Path) -> None:
    """Show workflow, ffmpeg, devices, weights and cache; MafnetError if one is missing."""
    found = {"mafnet": (True, __version__), "workflow": _workflow()}
    found |= {"ffmpeg": _ffmpeg(), "torch": _torch()}
    found |= {"openvino": _openvino()}
    found |= {"weights": _weights(weights), "cache": _cache(cache), "disk": _disk(cache)}
    for name, (good, text) in found.items():
        click.echo(f"{'ok ' if good else 'NO '} {name:8} {text}")
    if not all(good for good, _ in found.values()):
        raise MafnetError("something is missing; see the lines marked NO")


def _workflow() -> tuple[bool, str]:
    """The Snakefile to give to snakemake, or the missing files that come with mafnet."""
    if lacking := missing():
        return False, f"{', '.join(lacking)} missing in {SHARED}; install mafnet again"
    return True, str(SHARED / "Snakefile")


def _ffmpeg() -> tuple[bool, str]:
    from mafnet.common.ffmpeg import ffmpeg_path, ffmpeg_version

    try:
        return True, f"{ffmpeg_version()} at {ffmpeg_path()}"
    except MafnetError as error:
        return False, str(error)


def _torch() -> tuple[bool, str]:
    try:
        import torch
    except ImportError as error:
        return False, f"cannot be imported ({error}); run `make install`"
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    threads = torch.get_num_threads()
    return True, f"{torch.__version__}, {', '.join(gpus) or 'no GPU'}, {threads} CPU threads"


def _openvino() -> tuple[bool, str]:
    from mafnet.features.backbones.openvino_runtime import installed, openvino, suits

    if not installed():
        return True, "cannot be imported: torch extracts on CPUs, half as fast"
    precisions = [name for name in ("float32", "bfloat16") if suits(name)]
    version = openvino().__version__.partition("-")[0]
    return True, f"{version}, {' and '.join(precisions)} on this processor"


def _weights(folder: Path) -> tuple[bool, str]:
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    return True, f"{folder}: {', '.join(names) or 'none yet (fetched when first needed)'}"


def _cache(folder: Path) -> tuple[bool, str]:
    entries = [path.stat().st_size for path in folder.glob("*/*/*/*.clips")]
    return True, f"{folder}: {len(entries)} entries, {sum(entries) / 1e6:.0f} MB"


def _disk(folder: Path) -> tuple[bool, str]:
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return free > 1, f"{free:.0f} GB free at {existing}"
