"""Downloads and unpacks weights in TensorFlow's formats, and reads them with TensorFlow."""

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
from mafnet.common.machine_errors import raise_disk_error, writing
from mafnet.dataset.archives.unpack import Limits, unpack
from mafnet.features.weights.published import Published

HOME = Path(__file__).resolve().parents[3]
ENVIRONMENT = HOME / ".venv-vggish"
"""Created by `make vggish-env`, for users without conda."""

RUN = (
    f"import runpy, sys; sys.path.append({str(HOME)!r}); "
    "runpy.run_module('mafnet.features.weights.vggish_tensorflow', run_name='__main__')"
)
"""Runs the module in a Python without mafnet. HOME comes last on the path: for an installed mafnet
it is site-packages, whose numpy must not replace the numpy of that Python."""

LIMITS = Limits(members=100, total_bytes=2 * 10**9)
"""Limits for a SavedModel's archive; VGGish's archive has about 10 files, 0.3 GB in total."""


def convert(weights: Published, folder: Path, output: Path) -> None:
    """Write the published weights as TensorFlow reads them, and test outputs, to `output`.

    The output must pass mafnet.features.weights.vggish_check before it is used.
    """
    if not weights.needs_conversion:
        raise MafnetError(
            f"{weights.file}: is not in TensorFlow's format; use `mafnet fetch` alone"
        )
    python = tensorflow_python()
    with _source(weights, folder) as source:
        _export(python, source, weights.form, output)


def tensorflow_python() -> str:
    """Path of a Python with TensorFlow: this one, or .venv-vggish's; MafnetError if none."""
    if find_spec("tensorflow"):
        return sys.executable
    python = ENVIRONMENT / "bin" / "python"
    if python.exists():
        return str(python)
    raise MafnetError(
        "TensorFlow converts these weights, but it is not installed: use snakemake --use-conda, "
        "or run `make vggish-env` once, or choose the weights `audioset`, which do not need it"
    )


@contextmanager
def _source(weights: Published, folder: Path) -> Iterator[Path]:
    """Path of the checkpoint, or of the SavedModel's folder, which is unpacked temporarily."""
    unpacked = folder / weights.file.removesuffix(".tar.gz")
    if weights.form == "saved_model" and unpacked.is_dir():  # the user put it there
        yield unpacked
        return
    file = obtain(folder / weights.file, weights.addresses, weights.sha256)
    if weights.form != "saved_model":
        yield file
        return
    own = (
        folder / f".{unpacked.name}.unpacked"
    )  # a fixed name: the rest of a killed run is removed here
    shutil.rmtree(own, ignore_errors=True)
    try:
        unpack(file, own, lambda path: True, LIMITS)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _export(python: str, source: Path, form: str, output: Path) -> None:
    """Run `vggish_tensorflow`; MafnetError with its last line, or about the disk, if it fails."""
    command = [python, "-c", RUN, str(source), form, str(output)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, env=os.environ | quiet, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        with writing(output, output):
            raise_disk_error(done.stderr)
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise MafnetError(f"TensorFlow's part failed: {lines[-1]}")
