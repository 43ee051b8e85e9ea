"""Commands of stage 1, dataset."""

from pathlib import Path

import click

from mafnet.common import options
from mafnet.dataset.sources import SOURCES

source = click.option(
    "--source", type=click.Choice(list(SOURCES)), required=True,
    help="Published data set.",
)  # fmt: skip
lists = click.option("--lists", type=options.any_path, help="Folder or zip file of the lists.")


@click.command()
@click.option("--root", type=options.any_path, required=True, help="Folder to create.")
@options.settings
def demo(root: Path, settings: dict) -> None:
    """Generate the videos and the manifest of the demo."""
    from mafnet.common.config import parse
    from mafnet.dataset.config import DemoSettings
    from mafnet.dataset.demo.generate import make_demo

    make_demo(root, parse(DemoSettings, settings, "--settings"))


@click.command()
@source
@click.option("--folder", type=options.any_path, required=True, help="Folder to fill.")
@options.output
def download(source: str, folder: Path, output: Path) -> None:
    """Download and verify the archives and lists of a published data set; read its terms first."""
    from mafnet.dataset.archives.readers import Member
    from mafnet.dataset.collect import download as run
    from mafnet.dataset.collect import write_listing

    files = run(SOURCES[source], folder)
    write_listing([Member(path.name, path.stat().st_size) for path in files], output)


@click.command()
@source
@click.option(
    "--archive", type=click.Path(exists=True, path_type=Path), required=True,
    help="Archive, or folder of archives or of lists of their addresses.",
)  # fmt: skip
@lists
@click.option("--folder", type=options.any_path, required=True, help="Folder to fill.")
@options.output
def unpack(source: str, archive: Path, lists: Path | None, folder: Path, output: Path) -> None:
    """Unpack only the needed videos and lists of a published data set."""
    from mafnet.dataset.collect import collect, write_listing

    write_listing(collect(SOURCES[source], archive, lists, folder), output)


@click.command()
@source
@click.option("--split", required=True, help="Name of the split, e.g. official, split01, ks32.")
@lists
@options.root
@options.settings
@options.output
def prepare(
    source: str, split: str, lists: Path | None, root: Path, settings: dict, output: Path
) -> None:
    """Write the manifest of one split of a published data set."""
    from mafnet.common.config import parse
    from mafnet.dataset.holdout import Holdout
    from mafnet.dataset.prepare import prepare as run

    holdout = parse(Holdout, settings, "--settings")
    run(SOURCES[source], split, lists or root, root, holdout, output)
