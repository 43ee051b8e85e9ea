"""Weights in TensorFlow's formats: obtained, unpacked, and read by a python that has TensorFlow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.dataset.archives.unpack import Limits, unpack
from mafnet.features.weights.published import Published

HOME = Path(__file__).resolve().parents[3]
ENVIRONMENT = HOME / ".venv-vggish"
"""Made by `make vggish-env`, for users without conda."""

RUN = (
    f"import runpy, sys; sys.path.append({str(HOME)!r}); "
    "runpy.run_module('mafnet.features.weights.vggish_tensorflow', run_name='__main__')"
)
"""Runs the module in a python without mafnet. HOME comes last on the path: of an installed mafnet
it is site-packages, whose numpy must not replace the one of that python."""

LIMITS = Limits(members=100, total_bytes=2 * 10**9)
"""Of a SavedModel's archive; VGGish's holds some 10 files of 0.3 GB together."""


def convert(weights: Published, folder: Path, output: Path) -> None:
    """Write what TensorFlow finds in published weights, and computes with them, to `output`.

    It is not to be used before mafnet.features.weights.vggish_check let it through.
    """
    if not weights.needs_conversion:
        raise MafnetError(f"{weights.file}: is not TensorFlow's; `mafnet fetch` takes it as it is")
    python = tensorflow_python()
    with _source(weights, folder) as source:
        _export(python, source, weights.form, output)


def tensorflow_python() -> str:
    """A python that has TensorFlow: this one, or that of .venv-vggish; else MafnetError."""
    if find_spec("tensorflow"):
        return sys.executable
    python = ENVIRONMENT / "bin" / "python"
    if python.exists():
        return str(python)
    raise MafnetError(
        "these weights are converted by TensorFlow, which is not here: give snakemake --use-conda, "
        "or run `make vggish-env` once, or choose the weights `audioset`, which need none"
    )


@contextmanager
def _source(weights: Published, folder: Path) -> Iterator[Path]:
    """The checkpoint, or the folder of the SavedModel, unpacked for as long as it is needed."""
    unpacked = folder / weights.file.removesuffix(".tar.gz")
    if weights.form == "saved_model" and unpacked.is_dir():  # put there by hand
        yield unpacked
        return
    file = obtain(folder / weights.file, weights.addresses, weights.sha256)
    if weights.form != "saved_model":
        yield file
        return
    own = folder / f".{unpacked.name}.unpacked"  # always the same: a killed run's is removed here
    shutil.rmtree(own, ignore_errors=True)
    try:
        unpack(file, own, lambda path: True, LIMITS)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _export(python: str, source: Path, form: str, output: Path) -> None:
    """Run `vggish_tensorflow`; MafnetError with its last line if it fails."""
    command = [python, "-c", RUN, str(source), form, str(output)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, env=os.environ | quiet, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise MafnetError(f"TensorFlow's part failed: {lines[-1]}")
