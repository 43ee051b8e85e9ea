"""The wheel alone is enough: its commands and its workflow run without a checkout."""

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.tiny_run import make_data

from mafnet.common.resources import NEEDED

ROOT = Path(__file__).parents[1]
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"no_proxy": ""}
"""Nothing answers at port 9, so every download fails at once."""


@dataclass
class Installed:
    """mafnet installed into a folder of its own, and another folder to work in."""

    site: Path
    folder: Path

    def python(self, *arguments, succeeds=True):
        """Run python in the working folder with the installed package; its output."""
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder,
            env=os.environ | NO_NETWORK | {"PYTHONPATH": str(self.site), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == succeeds, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    pip("install", "--target", site, wheel)
    return Installed(site, folder)


def pip(command, *arguments):
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
    line = [sys.executable, "-m", "pip", command, *quiet, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tracked(*folders):
    """The files of some folders of the checkout, without caches of python."""
    paths = (path for folder in folders for path in [ROOT / folder, *(ROOT / folder).rglob("*")])
    found = (path.relative_to(ROOT) for path in paths if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_wheel_has_every_file_of_the_package_and_of_the_workflow_and_no_other(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    shared = {f"mafnet/_share/{path}" for path in tracked(*NEEDED)}
    assert names == tracked("mafnet") | shared
    assert "mafnet/py.typed" in names


def test_wheel_has_the_licence_and_those_of_what_it_uses(wheel):
    names = {name.partition("/licenses/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {"LICENSE", "THIRD_PARTY_LICENSES.md"} <= names


def test_help_lists_every_verb(installed):
    said = installed.python("-m", "mafnet", "--help")
    assert {"check", "doctor", "fetch", "extract", "train"} <= set(said.split())


def test_package_comes_from_the_wheel(installed):
    said = installed.python("-c", "import mafnet; print(mafnet.__file__)")
    assert Path(said.strip()) == installed.site / "mafnet/__init__.py"


def test_doctor_names_the_snakefile(installed):
    said = installed.python("-m", "mafnet", "doctor")
    assert f"ok  workflow {installed.site}/mafnet/_share/Snakefile\n" in said


def test_doctor_says_which_files_are_missing(installed):
    """And the commands that need them say so in one line."""
    share = installed.site / "mafnet/_share"
    (share / "resources").rename(share / "away")
    try:
        said = installed.python("-m", "mafnet", "doctor", succeeds=False)
        assert re.search(
            r"^NO  workflow resources missing in \S+; install mafnet again$", said, re.M
        )
    finally:
        (share / "away").rename(share / "resources")


def test_check_reads_the_config_and_schema_of_the_wheel(installed):
    said = installed.python("-m", "mafnet", "check", "demo", succeeds=False)
    assert re.fullmatch(r"mafnet check: demo: [^\n]+\n", said)


def test_check_finds_the_classes_of_a_published_data_set(installed):
    """The class list and the expected counts are in resources/."""
    folder = installed.folder / "ave"
    folder.mkdir()
    for number, subset in enumerate(("train", "val", "test")):
        (folder / f"{subset}Set.txt").write_text(f"Church bell&video{number}&good&0&10\n")
    entry = "datasets: {ave: {source: ave, folder: ave, lists: ave}}\n"
    (installed.folder / "ave.yaml").write_text(entry)
    check = ("-m", "mafnet", "check", "ave", "--configfile", "ave.yaml")
    said = installed.python(*check, succeeds=False)
    assert "Traceback" not in said
    assert "missing" in said


def test_fetch_finds_the_table_of_weights_and_ends_at_the_download(installed):
    command = ("fetch", "--backbone", "vggish", "--name", "audioset", "--folder", "weights")
    output = ("--output", "weights/vggish-audioset.safetensors")
    said = installed.python("-m", "mafnet", *command, *output, succeeds=False)
    assert "Traceback" not in said
    assert re.search(r"mafnet fetch: .*vggish.* put it there", said)


@pytest.mark.workflow
def test_workflow_of_the_wheel_plans_the_demo_and_runs_a_job(installed):
    snakefile = installed.site / "mafnet/_share/Snakefile"
    snakemake = ("-m", "snakemake", "--snakefile", snakefile, "--cores", "1")
    said = installed.python(*snakemake, "-n", "results/demo/summary.html")
    assert re.search(r"^demo +1$", said, re.MULTILINE)
    make_data(installed.folder)
    config = ("--configfile", ROOT / "tests/tiny.yaml")
    installed.python(*snakemake, "results/tiny/media/0000.tsv", *config)
    assert len((installed.folder / "results/tiny/media/0000.tsv").read_text().splitlines()) == 9


@pytest.mark.workflow
def test_run_starts_the_workflow_of_the_wheel(installed):
    said = installed.python("-m", "mafnet", "run", "demo", "-n", "--quiet", "rules")
    assert re.search(r"^page +1$", said, re.MULTILINE)
