"""What mafnet sees on this machine."""

import shutil
from pathlib import Path

import click

from mafnet import __version__
from mafnet.errors import MafnetError


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path("cache"), show_default=True)
@click.option(
    "--weights", type=click.Path(path_type=Path), default=Path("weights"), show_default=True,
    help="Folder of downloaded weights.",
)  # fmt: skip
def doctor(cache: Path, weights: Path) -> None:
    """Say which ffmpeg, devices, weights and cache mafnet sees; exit 1 if one is missing."""
    found = {"mafnet": (True, __version__), "ffmpeg": _ffmpeg(), "torch": _torch()}
    found |= {"weights": _weights(weights), "cache": _cache(cache), "disk": _disk(cache)}
    for name, (good, text) in found.items():
        click.echo(f"{'ok ' if good else 'NO '} {name:8} {text}")
    if not all(good for good, _ in found.values()):
        raise MafnetError("something is missing; see the lines marked NO")


def _ffmpeg() -> tuple[bool, str]:
    from mafnet.video.ffmpeg import ffmpeg_path, ffmpeg_version

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
