"""Mistakes on Snakemake's command line that its own messages do not explain."""

import difflib
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.run_command import COMMAND, CONFIGS

OF_A_DATASET = ("/metrics.json", "/summary.html", "/report.html", "/media.tsv")


def record_command(configs: Sequence[Path]) -> None:
    """Put the command of this Snakemake into the environment, for jobs that write or print it.

    configs: the files of --configfile.
    """
    if _is_snakemake():
        os.environ[COMMAND] = shlex.join(["snakemake", *sys.argv[1:]])
    os.environ[CONFIGS] = os.pathsep.join(map(os.path.relpath, configs))


def refuse_swallowed_targets(configs: Iterable[Path]) -> None:
    """MafnetError for a result that is given as a config file; --configfile takes several files."""
    for path in map(Path, map(os.path.relpath, configs)):
        if path.parts[0] == "results":
            raise MafnetError(
                f"{path}: --configfile takes this target as a config file; put targets before "
                "--configfile"
            )


def given_targets() -> list[str]:
    """The targets on the command line; empty if Snakemake was not started by a command.

    Snakemake reads the Snakefile before the workflow knows them.
    """
    from snakemake.cli import get_argument_parser

    if not _is_snakemake():
        return []
    given, _ = get_argument_parser().parse_known_args(sys.argv[1:])
    return list(given.targets)


def is_dry_run() -> bool:
    """True with -n; the workflow itself does not know it yet when it reads the Snakefile."""
    from snakemake.cli import get_argument_parser

    return _is_snakemake() and get_argument_parser().parse_known_args(sys.argv[1:])[0].dryrun


def _is_snakemake() -> bool:
    return Path(sys.argv[0]).name in ("snakemake", "__main__.py")


def refuse_unknown_targets(
    targets: Iterable[str],
    rules: Iterable[str],
    makes: Callable[[str], bool],
    studies: Mapping[str, Iterable[str]],
) -> None:
    """MafnetError for a target that no rule makes and that does not exist; it suggests another.

    rules: names of rules without wildcards. makes: True if a rule makes a file.
    studies: of each data set.
    """
    files = [f"results/{dataset}{name}" for dataset in studies for name in OF_A_DATASET]
    files += [f"results/{name}/studies/{study}.csv" for name in studies for study in studies[name]]
    for target in targets:
        if target in rules or makes(target) or os.path.lexists(target):
            continue
        near = difflib.get_close_matches(target, [*rules, *files], n=1)
        known = f"did you mean {near[0]}?" if near else "`snakemake --list` names the rules"
        raise MafnetError(f"{target}: no rule makes this; {known}")
