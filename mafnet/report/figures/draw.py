"""Draw a figure by name and write it."""

import logging
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from mafnet.common.errors import MafnetError
from mafnet.report.figures import FIGURES
from mafnet.report.figures.inputs import Inputs
from mafnet.report.figures.style import RC
from mafnet.report.figures.svg import write_svg

log = logging.getLogger(__name__)


def draw_to(name: str, inputs: Inputs, output: Path) -> None:
    """Draw a figure and write it as SVG; the same inputs give the same bytes."""
    # The user's own matplotlib settings must not change these figures.
    with mpl.rc_context(rc=mpl.rcParamsDefault | RC):
        write_svg(draw(name, inputs), output)
    log.info("%s: %.0f kB", output, output.stat().st_size / 1000)


def draw(name: str, inputs: Inputs) -> Figure:
    """A figure by name; MafnetError if it is unknown or an input is missing."""
    if name not in FIGURES:
        raise MafnetError(f"figure {name!r} is unknown; choose one of {', '.join(FIGURES)}")
    spec = FIGURES[name]
    for need in spec.needs:
        if not getattr(inputs, need):
            option = "split" if need == "splits" else need
            raise MafnetError(f"figure {name} needs the option --{option}")
    module, _, function = spec.location.partition(":")
    return getattr(import_module(module), function)(inputs)
