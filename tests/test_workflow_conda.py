"""`--use-conda` with a stand-in for conda, and with a real one and a local channel."""

import json
import shutil
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest
from support import conda
from support.tiny_run import ENVIRONMENT, METRICS

pytestmark = pytest.mark.workflow


@pytest.fixture(params=["stand-in", "real"])
def variables(request, tmp_path):
    """The environment variables with which Snakemake finds a conda."""
    packages = Path(sysconfig.get_path("purelib"))
    if request.param == "stand-in":
        return conda.stand_in(tmp_path / "conda", packages)
    if shutil.which("conda") is None:
        pytest.skip("no conda is on the PATH")
    return conda.local_channel(tmp_path / "channel", packages)


def test_with_conda_a_run_has_the_same_numbers_and_names_snakemake(run, variables):
    before = json.loads((run.folder / METRICS).read_text())
    shutil.rmtree(run.folder / "results/tiny/main")
    done = subprocess.run(
        run.command(METRICS, "--use-conda"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, env=ENVIRONMENT | variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Creating conda environment" in done.stdout
    (made,) = (run.folder / ".snakemake/conda").glob("*/bin/python")
    command = [made, "-c", "import snakemake"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    after = json.loads((run.folder / METRICS).read_text())
    assert after["provenance"]["versions"]["snakemake"] == version("snakemake")
    for metrics in (before, after):
        del metrics["provenance"]
    assert after == before
    assert run.planned() == {}
