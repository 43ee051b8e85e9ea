"""Commands for messages: they work when pasted into a shell in the working folder."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from mafnet.common.resources import SHARED


def run_command(target: str, configs: Sequence[Path] = ()) -> str:
    """The snakemake command that makes a target; it names the Snakefile unless it is here.

    configs: the user's files of settings.
    """
    command = ["snakemake", "--cores", "all", target]
    if not Path("Snakefile").exists():
        command += ["--snakefile", str(SHARED / "Snakefile")]
    if configs:
        command += ["--configfile", *map(str, configs)]
    return shlex.join(command)
