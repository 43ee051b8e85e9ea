"""`mafnet run`: the packaged workflow in the current folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.tiny_run import make_data, planned_jobs

from mafnet.plan.run import snakemake_command

TINY = Path(__file__).parent / "tiny.yaml"


def mafnet(folder, *arguments):
    """Run a command of the checkout in a folder; status and output."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mafnet", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TINY.parents[1]), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.workflow
def test_settings_beside_are_used_and_options_reach_snakemake(tmp_path):
    make_data(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    # A file of the user must not replace a module of the same name.
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong module')\n")
    one_seed = {"datasets": {"tiny": {"model": {"seeds": [0]}}}}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(one_seed))
    status, said = mafnet(tmp_path, "run", "tiny", "-n", "--quiet", "rules")
    assert status == 0, said
    assert planned_jobs(said) | {"train": 2, "page": 1} == planned_jobs(said)
    options = ("results/tiny/metrics.json", "--configfile", "one.yaml", "-n", "--quiet", "rules")
    status, said = mafnet(tmp_path, "run", "tiny", *options)
    assert status == 0, said
    assert planned_jobs(said)["train"] == 1
    assert "page" not in planned_jobs(said)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("dmo", None, "did you mean demo?"),
        ("mine", "datasets: {mime: {root: v, splits: {main: m.csv}}}", "did you mean mime?"),
        ("mine", "datasets: [", "cannot be read as YAML"),
        ("mine", "datasets:\n\tmine: 3", "found character '\\t' that cannot start any token"),
        ("mine", f"a: {'[' * 3000}{']' * 3000}", "cannot be read as YAML"),
    ],
)
def test_an_unknown_data_set_is_one_line(tmp_path, name, text, expected):
    if text:
        (tmp_path / f"{name}.yaml").write_text(text)
    status, said = mafnet(tmp_path, "run", name, "-n")
    assert status == 1
    assert said.startswith(f"mafnet run: {name}.yaml")
    assert expected in said
    assert said.count("\n") == 1


def test_a_home_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    said = (
        "mafnet run: /dev/null/.cache/snakemake cannot be written; set XDG_CACHE_HOME to a folder"
    )
    assert mafnet(tmp_path, "run", "demo", "-n") == (1, f"{said} that can\n")


def test_cores_are_left_to_snakemake_where_an_option_or_a_cluster_decides():
    def options(*given):
        command = snakemake_command("page", [], given)
        return command[command.index("--snakefile") + 2 :]

    assert options("-n")[:1] == ["--cores"]
    assert options("-n")[-2:] == ["--", "page"]
    assert options("-c", "3") == ["-c", "3", "--", "page"]
    assert options("--workflow-profile", "slurm")[0] == "--workflow-profile"
    assert "page" not in options("other", "-n")
