"""Commands for messages and pages: they work when pasted into a shell in the working folder."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from mafnet.common.resources import SHARED

COMMAND = "MAFNET_COMMAND"
"""Environment variable of a workflow's jobs: the command of their Snakemake."""

CONFIGS = "MAFNET_CONFIGFILES"
"""The same: the user's files of settings, separated as in PATH."""


def run_command(target: str, configs: Sequence[Path] = ()) -> str:
    """The snakemake command that makes a target; it names the Snakefile unless it is here.

    configs: the user's files of settings.
    """
    command = ["snakemake", "--cores", "all", target]
    if not Path("Snakefile").exists():
        command += ["--snakefile", str(SHARED / "Snakefile")]
    return shlex.join(command + _configfile(configs))


def check_command(dataset: str) -> str:
    """The command that checks a data set of this workflow."""
    paths = os.environ.get(CONFIGS, "")
    configs = [Path(path) for path in paths.split(os.pathsep) if path]
    return shlex.join(["mafnet", "check", dataset, *_configfile(configs, each=True)])


def recorded_command(target: str) -> str:
    """The command that this job belongs to; outside of a workflow, one that makes the target."""
    return os.environ.get(COMMAND) or run_command(target)


def _configfile(configs: Sequence[Path], each: bool = False) -> list[str]:
    """The option for the files of settings; each: repeated, as `mafnet check` takes it."""
    names = [str(path) for path in configs]
    if each:
        return [part for name in names for part in ("--configfile", name)]
    return ["--configfile", *names] if names else []
