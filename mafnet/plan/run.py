"""`mafnet run`: the packaged workflow in the current folder, without knowing Snakemake."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from mafnet.common import options
from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError, hint
from mafnet.common.resources import SHARED, missing
from mafnet.plan.home import snakemake_home


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("snakemake_options", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--configfile", "configs", type=options.existing, multiple=True,
    help="Settings that override NAME.yaml; repeat the option for each file.",
)  # fmt: skip
def run(name: str, snakemake_options: tuple[str, ...], configs: tuple[Path, ...]) -> None:
    """Run the workflow for the data set NAME up to its page, in this folder.

    The settings are in NAME.yaml, which `mafnet new` writes, or in mafnet's own config.yaml (demo,
    ave, ...). SNAKEMAKE_OPTIONS are passed on: -n shows what would run, --cores 4 uses four cores.
    Files and rules among them are made instead of the page. The same command continues after a
    stop, and makes again only what has changed. Then mafnet explore shows the videos of a run.
    """
    if find_spec("snakemake") is None:
        raise MafnetError("Snakemake is not installed; run pip install 'mafnet[workflow]'")
    if files := missing():
        raise MafnetError(f"{', '.join(files)} missing in {SHARED}; install mafnet again")
    writable, home = snakemake_home()
    if not writable:
        raise MafnetError(home)
    own = Path(f"{name}.yaml")
    _require_dataset(name, own, configs)
    files = [path for path in (own, *configs) if path.exists()]
    command = snakemake_command(f"results/{name}/summary.html", files, snakemake_options)
    # Snakemake replaces this process, so that it gets every signal.
    os.execv(sys.executable, command)


def snakemake_command(target: str, configs: Sequence[Path], given: Sequence[str]) -> list[str]:
    """The command line of the packaged workflow.

    target: what is made if `given`, Snakemake's own options, names nothing else.
    """
    from snakemake.cli import get_argument_parser

    known, _ = get_argument_parser().parse_known_args(given)
    # Without -P, modules in the current folder would replace others of the same name.
    command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(SHARED / "Snakefile")]
    if configs:
        command += ["--configfile", *map(str, configs)]
    elsewhere = (known.executor, known.profile, known.workflow_profile)
    if known.cores is None and known.jobs is None and not any(elsewhere):
        command += ["--cores", str(usable_cores())]
    return [*command, *given, *([] if known.targets else ["--", target])]


def _require_dataset(name: str, own: Path, configs: Sequence[Path]) -> None:
    """MafnetError if neither NAME.yaml nor config.yaml has the data set."""
    from mafnet.plan.config import read_config

    files = [*([own] if own.exists() else []), *configs]
    known = read_config(files)["datasets"]
    if name in known:
        return
    if own.exists():
        raise MafnetError(f"{own}: has no data set {name} in `datasets`; {hint(name, known)}")
    raise MafnetError(
        f"{own} is not in this folder; `mafnet new {name} VIDEOS` writes it for a folder of "
        f"videos; of config.yaml's data sets, {hint(name, known)}"
    )
