"""`mafnet cache`: shows, verifies and cleans the cache."""

from pathlib import Path

import click

from mafnet.common import options
from mafnet.common.errors import MafnetError

cache_option = click.option(
    "--cache", type=options.any_path,
    **options.config_default("features.config:FeaturesSection", "cache"),
    help="Folder of the cache.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@cache_option
@click.pass_context
def cache(ctx: click.Context, cache: Path) -> None:
    """Show the size of the cache by backbone and fingerprint; verify it; remove unused entries."""
    ctx.obj = cache
    if ctx.invoked_subcommand is None:
        _show(cache)


@cache.command()
@click.pass_obj
def verify(root: Path) -> None:
    """Read and check every entry; exit 1 if one is damaged."""
    from mafnet.features.cache_contents import damaged, folders

    faults = [fault for folder in folders(root) for fault in damaged(root, folder)]
    for fault in faults:
        click.echo(fault)
    if faults:
        raise MafnetError(
            f"{len(faults)} entries of {root} are damaged; packing extracts them again"
        )
    click.echo(f"{root}: every entry is intact")


@cache.command()
@click.option(
    "--results", type=click.Path(path_type=Path), multiple=True, default=[Path("results")],
    show_default=True, help="Folder of results that may use the cache; repeat it for each project.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only print what would be removed.")
@click.option("--yes", is_flag=True, help="Remove without confirmation.")
@click.pass_obj
def clean(root: Path, results: tuple[Path, ...], dry_run: bool, yes: bool) -> None:
    """Remove the entries that no result uses."""
    from mafnet.features.cache_contents import remove, unused

    paths = unused(root, results)
    size = sum(path.stat().st_size for path in paths)
    click.echo(f"{root}: {len(paths)} entries, {_megabytes(size)}, are used by no result")
    if dry_run or not paths:
        return
    if not yes:
        click.confirm("Remove them?", abort=True)
    remove(paths)
    click.echo("removed")


def _show(root: Path) -> None:
    """Print one row a fingerprint."""
    from rich.console import Console
    from rich.table import Table

    from mafnet.features.cache_contents import folders

    table = Table("backbone", "fingerprint", "weights", "precision", "clips")
    table.add_column("videos", justify="right")
    table.add_column("size", justify="right")
    for folder in folders(root):
        about = ("?", "?", "?")
        if print_ := folder.fingerprint:
            about = (print_.weights, print_.precision, str(dict(print_.grid)["clips"]))
        sizes = [path.stat().st_size for path in folder.entries()]
        row = (folder.path.parent.name, folder.path.name, *about, str(len(sizes)))
        table.add_row(*row, _megabytes(sum(sizes)))
    Console().print(table)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
