"""The command line: the commands for people, and one for each step of the workflow."""

import logging
import sys

import click

from mafnet import __version__
from mafnet.common.attempts import record_error, refuse_repetition
from mafnet.common.errors import MachineError, MafnetError
from mafnet.common.machine_errors import described
from mafnet.common.parent import end_with_parent
from mafnet.common.terminal import PrintableFormatter, printable
from mafnet.dataset.commands import demo, download, prepare, unpack
from mafnet.features.backbones_table import backbones
from mafnet.features.cache_command import cache
from mafnet.features.commands import calibrate, convert, extract, fetch, media, pack
from mafnet.features.features_command import features
from mafnet.model.commands import evaluate, evaluate_video, fetch_network, finetune, train
from mafnet.model.predict_command import predict
from mafnet.plan.commands import check
from mafnet.plan.doctor import doctor
from mafnet.plan.explore import explore
from mafnet.plan.new import new
from mafnet.plan.run import run
from mafnet.report.commands import figure, metrics, report, study, table
from mafnet.report.export_command import export
from mafnet.video.commands import probe, screen

FOR_PEOPLE = (
    new, run, explore, predict, features, export, check, doctor, backbones, table, cache,
)  # fmt: skip
STEPS = {
    "dataset": (demo, download, unpack, prepare),
    "video": (probe, screen),
    "features": (convert, fetch, calibrate, extract, media, pack),
    "model": (train, evaluate, fetch_network, finetune, evaluate_video),
    "report": (metrics, study, figure, report),
}
SECTIONS = {"Commands": FOR_PEOPLE} | {
    f"Steps that the workflow runs: {stage}": verbs for stage, verbs in STEPS.items()
}


class Sectioned(click.Group):
    """A group whose help lists the commands for people before the steps of the workflow."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for people, and one for each stage."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(verb.name, verb.get_short_help_str(200)) for verb in commands])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; print an error of the user or the machine as one line, exit with 1."""
        try:
            return super().invoke(ctx)
        except MafnetError as error:
            line = str(error)
            if not isinstance(error, MachineError):
                record_error(error)
        except (OSError, MemoryError, RuntimeError, ImportError) as error:
            line = described(error, ctx.invoked_subcommand)
            if line is None:
                raise
        click.echo(f"mafnet {ctx.invoked_subcommand}: {printable(line)}", err=True)
        raise click.exceptions.Exit(1)


@click.group(cls=Sectioned, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mafnet")
@click.option("--quiet", is_flag=True, help="Show only warnings and errors.")
def main(quiet: bool) -> None:
    """Audio-visual event recognition with MAFnet, from raw videos to metrics.

    The workflow runs the steps; you can also run each of them yourself. For completion in bash,
    run: eval "$(_MAFNET_COMPLETE=bash_source mafnet)" (similar for zsh and fish).
    """
    end_with_parent()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, handlers=[handler])
    refuse_repetition()


for _commands in SECTIONS.values():
    for _command in _commands:
        main.add_command(_command)
