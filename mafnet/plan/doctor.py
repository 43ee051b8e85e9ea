"""`mafnet doctor`: checks the installation, or a collection of videos."""

import shutil
from pathlib import Path

import click

from mafnet import __version__
from mafnet.common import options
from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError
from mafnet.common.resources import SHARED, missing
from mafnet.plan.home import snakemake_home


@click.command()
@click.option(
    "--cache", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "cache"),
    help="Cache folder.",
)  # fmt: skip
@click.option(
    "--weights", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "weights_folder"),
    help="Folder of downloaded weights.",
)  # fmt: skip
@click.option(
    "--videos", type=click.Path(exists=True, path_type=Path),
    help="Check this folder of videos, or this manifest's videos, instead of the machine.",
)  # fmt: skip
@click.option(
    "--root",
    type=options.folder,
    help="Folder of the manifest's videos; default: the manifest's folder.",
)
@options.link_roots
@click.option(
    "--clips", type=click.IntRange(1),
    **options.config_default("video.config:VideoSection", "clips"),
    help="Seconds to decode of each video.",
)  # fmt: skip
@click.option(
    "--list", "fetch", type=options.new_file, help="File for the list of videos to download again."
)
@click.option(
    "--threads", type=click.IntRange(1), default=usable_cores, show_default="all usable cores",
    help="Videos to check at the same time.",
)  # fmt: skip
def doctor(
    cache: Path,
    weights: Path,
    videos: Path | None,
    root: Path | None,
    link_roots: tuple[Path, ...],
    clips: int,
    fetch: Path | None,
    threads: int,
) -> None:
    """Check this machine, or a collection of videos; exit 1 if something is wrong."""
    if videos:
        settings = {"clips": clips, "link_roots": list(map(str, link_roots))}
        _check_videos(videos, root, settings, fetch, threads)
    else:
        _check_machine(cache, weights)


def _check_videos(
    collection: Path, root: Path | None, settings: dict, fetch: Path | None, threads: int
) -> None:
    """Print the outcomes of all videos; MafnetError if a video cannot be used."""
    from rich.console import Console

    from mafnet.features.media_table import media_counts, outcome_table
    from mafnet.features.video_check import check_videos, find_videos, write_fetch_list
    from mafnet.video.config import VideoSettings

    rows = check_videos(*find_videos(collection, root), VideoSettings(**settings), threads)
    Console().print(outcome_table(rows, str(collection)))
    if fetch:
        click.echo(
            f"{write_fetch_list(rows, fetch)} videos to download again are listed in {fetch}"
        )
    failed = media_counts(rows)["failed"]
    if failed:
        hint = "" if fetch else "; --list FILE lists the videos to download again"
        raise MafnetError(f"{failed} of {len(rows)} videos cannot be used{hint}")


def _check_machine(cache: Path, weights: Path) -> None:
    """Print a line for each part that mafnet needs; MafnetError if a part is missing."""
    parts = {
        "mafnet": (True, __version__),
        "workflow": _workflow(),
        "ffmpeg": _ffmpeg(),
        "torch": _torch(),
        "openvino": _openvino(),
        "weights": _weights(weights),
        "cache": _cache(cache),
        "home": snakemake_home(),
        "disk": _disk(cache),
    }
    for name, (good, text) in parts.items():
        click.echo(f"{'ok ' if good else 'NO '} {name:8} {text}")
    if not all(good for good, _ in parts.values()):
        raise MafnetError("something is missing; see the lines marked NO")


def _workflow() -> tuple[bool, str]:
    """The path of the Snakefile, or the files that are missing in mafnet's installation."""
    if files := missing():
        return False, f"{', '.join(files)} missing in {SHARED}; install mafnet again"
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
        return True, "cannot be imported; CPUs extract with torch, at half the speed"
    precisions = [name for name in ("float32", "bfloat16") if suits(name)]
    version = openvino().__version__.partition("-")[0]
    return True, f"{version}, {' and '.join(precisions)} on this processor"


def _weights(folder: Path) -> tuple[bool, str]:
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    return True, f"{folder}: {', '.join(names) or 'none yet (downloaded when needed)'}"


def _cache(folder: Path) -> tuple[bool, str]:
    entries = [path.stat().st_size for path in folder.glob("*/*/*/*.clips")]
    return True, f"{folder}: {len(entries)} entries, {sum(entries) / 1e6:.0f} MB"


def _disk(folder: Path) -> tuple[bool, str]:
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return free > 1, f"{free:.0f} GB free at {existing}"
