"""`mafnet export`: one file made from a run folder, with a model card."""

from pathlib import Path

import click

from mafnet.common import options
from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError

FILES = ("model.onnx", ".model.onnx.sha256", "README.md")
"""What the command writes. Nothing else may be in its folder, so that no file is replaced."""


@click.command()
@click.argument("run", type=options.folder)
@click.option(
    "--output", type=options.any_path, required=True,
    help="New folder; gets model.onnx and the model card README.md.",
)  # fmt: skip
@click.option(
    "--whole", is_flag=True,
    help="With the frozen networks: from frames and audio, not from features.",
)  # fmt: skip
@click.option(
    "--license", "licence", default="unknown", show_default=True,
    help="Licence in the model card, an identifier of the Hugging Face hub such as cc-by-4.0.",
)  # fmt: skip
@options.find_weights
@options.all_threads
def export(
    run: Path, output: Path, whole: bool, licence: str, weights: Path | None, threads: int | None
) -> None:
    """Make one ONNX file from a trained run, compared with torch, and a model card.

    RUN is the folder of the run. `mafnet predict --model FOLDER/model.onnx` uses the file.
    """
    try:
        from mafnet.model.export.run_export import export_run
    except ImportError as error:
        raise MafnetError(
            f"export needs the package {error.name}; run `pip install 'mafnet[export]'`"
        ) from error
    import torch

    from mafnet.model.model_source import settings_of_run, weights_of
    from mafnet.model.run_folder import RunFolder
    from mafnet.report.card.model_card import make_card, write_card
    from mafnet.report.statistics.runs import read_run

    present = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if others := sorted(present - set(FILES)):
        raise MafnetError(f"--output {output}: has other files ({others[0]}); give a new folder")
    folder = RunFolder(run)
    settings, evaluated = settings_of_run(folder), read_run(run)
    torch.set_num_threads(threads or usable_cores())
    found = export_run(folder, settings, weights_of(run, settings, weights) if whole else {})
    card = make_card(evaluated, found.contents, found.differences, licence)
    found.write(output / FILES[0])
    write_card(card, output / "README.md")
    shown = ", ".join(f"{name} {value:.2g}" for name, value in found.differences.items())
    click.echo(f"Largest difference of ONNX Runtime from torch on random inputs: {shown}")
    click.echo(f"{output / FILES[0]}: {(output / FILES[0]).stat().st_size / 1e6:.1f} MB")
    click.echo(f"{output / 'README.md'}: the model card")
