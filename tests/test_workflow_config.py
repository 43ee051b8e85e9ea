"""What users get wrong is one clear line; the form of the rules and how they find their python."""

import os
import re
import subprocess
import sys
import sysconfig
import venv

import pytest
from support.tiny_run import METRICS, REPOSITORY, Workflow

pytestmark = pytest.mark.workflow

OTHER = {"network": "mafnet", "options": {"units": 8}}
BAD_ROWS = """sample,video,label,subset
a,a.mp4,x,train
a,../b.mp4,x,train
c,c.mp4,,val
d,a.mp4,x,test
"""


@pytest.fixture
def beginner(checkout, tmp_path):
    """A folder with settings and a manifest, but no videos and no results."""
    (tmp_path / "tiny.yaml").write_text((REPOSITORY / "tests/tiny.yaml").read_text())
    (tmp_path / "videos").mkdir()
    (tmp_path / "manifest.csv").write_text("sample,video,label,subset\na,a.mp4,x,train\n")
    return Workflow(checkout, tmp_path)


def complaint(workflow, change=None, target=METRICS):
    """What follows `mafnet:` in the words of a run that is refused."""
    said = workflow.run(target, change=change, succeeds=False).stdout
    assert "Traceback" not in said
    assert "Exception" not in said
    assert not (workflow.folder / "results").exists(), "no work may begin"
    return said[said.index("\nmafnet: ") + 9 :]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {
                "model": {"training": {"learning_rat": 0.1, "min_gain": "1e-3"}, "seeds": []},
                "video": {"clips": 0},
            },
            {
                ".model.seeds: [] is wrong; list must have at least 1 item",
                ".model.training.learning_rat: is unknown; did you mean learning_rate?",
                ".model.training.min_gain: '1e-3' is a text; write a number, without quotes, as in "
                "1.0e-3",
                ".video.clips: 0 is wrong; it must be greater than or equal to 1",
            },
        ),
        (
            {"source": "demo"},
            {
                f".{key}: does not go with `source: demo`; delete the key"
                for key in ("root", "splits")
            },
        ),
    ],
    ids=["keys and values", "origin"],
)
def test_every_wrong_setting_is_one_line(beginner, change, expected):
    first, *lines = complaint(beginner, change).splitlines()
    assert first == "config: fix these keys:"
    assert_lines(lines, {f"datasets.tiny{line}" for line in expected})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {
                "model": {
                    "main": "mafnett",
                    "variants": {"mine": {"network": "mafnet2"}, "other": OTHER},
                },
                "report": {"studies": {"mine": ["mafnet", "nofilm"]}},
                "features": {"visual": {"backbone": "densenet"}, "audio": {"weights": "imagenet"}},
            },
            {
                "model.main: variant 'mafnett' is not in model.variants; did you mean mafnet?",
                "model.variants.mine.network: network 'mafnet2' is unknown; choose one of ",
                "model.variants.other.options.units: network mafnet has no such option; choose ",
                "report.studies.mine: variant 'nofilm' is not in model.variants; did you mean no_",
                "features.visual: backbone 'densenet' is unknown; choose one of ",
                "features.audio: vggish has no weights 'imagenet'; choose one of ",
            },
        ),
        (
            {"features": {"visual": {"backbone": "vggish"}}},
            {"features.visual.backbone: vggish is for the audio modality"},
        ),
    ],
    ids=["unknown", "of the other modality"],
)
def test_every_wrong_name_is_one_line(beginner, change, expected):
    first, *lines = complaint(beginner, change).splitlines()
    assert first == "config: fix these keys:"
    assert_lines(lines, expected)


def assert_lines(lines, beginnings):
    """Each line begins in another of these ways, and all of them occur."""
    left = set(beginnings)
    for line in lines:
        found = {beginning for beginning in left if line.startswith(f"  {beginning}")}
        assert len(found) == 1, line
        left -= found
    assert left == set()


def test_all_bad_rows_of_all_manifests_are_named_at_once(beginner):
    (beginner.folder / "manifest.csv").write_text(BAD_ROWS)
    (beginner.folder / "other.csv").write_text(BAD_ROWS)
    change = {"splits": {"main": "manifest.csv", "other": "other.csv"}}
    said = complaint(beginner, change)
    assert said.count("faults; fix these rows:") == 2
    for row in ("row 3: video '../b.mp4'", "row 4: label is empty", "row 3: sample 'a'", "row 5: "):
        assert said.count(f"  {row}") == 2


def test_a_missing_manifest_is_one_line(beginner):
    (beginner.folder / "manifest.csv").unlink()
    (line,) = complaint(beginner).splitlines()
    assert line.startswith("manifest.csv: cannot be read")


def test_a_missing_root_is_one_line(beginner):
    (beginner.folder / "videos").rmdir()
    (line,) = complaint(beginner).splitlines()
    assert "videos is not a folder; give the one that holds the videos" in line


def test_a_study_that_the_config_lacks_is_one_line(beginner):
    for target in ("studies/fuson.csv", "figures/study-fuson.svg"):
        said = beginner.run(f"results/tiny/{target}", succeeds=False).stdout
        assert "Traceback" not in said
        line = said[said.index("\nmafnet: ") + 1 :].strip()
        assert line == (
            "mafnet: study 'fuson' is not in report.studies of tiny; did you mean fusion?"
        )


def test_other_data_sets_do_not_disturb(beginner):
    """Who has no videos of one data set yet can work on another."""
    (beginner.folder / "manifest.csv").unlink()
    assert beginner.planned("results/demo/metrics.json")["demo"] == 1


def test_snakemake_lints_the_workflow(checkout, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint", "--snakefile", checkout / "Snakefile"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_rule_says_what_it_makes(beginner):
    """As `snakemake --list-rules` shows it."""
    listed = beginner.run("--list-rules").stdout
    names = {
        name
        for path in (REPOSITORY / "Snakefile", *(REPOSITORY / "workflow/rules").glob("*.smk"))
        for name in re.findall(r"^(?:rule|checkpoint) (\w+):", path.read_text(), re.MULTILINE)
    }
    described = re.findall(r"^(\w+) \(\w.*\.\)$", listed, re.MULTILINE)
    assert names <= set(described), "give each rule a docstring of one sentence"


def test_the_rules_need_no_installed_package(run, tmp_path):
    """As in a conda environment: the packages are there, mafnet is not; the checkout's is used."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin/python"
    (packages,) = place.glob("lib/python*/site-packages")
    # A path in a .pth file is searched, but the .pth files in it (mafnet's own) are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    alone = subprocess.run([python, "-c", "import mafnet"], cwd=tmp_path, env=bare, check=False)
    assert alone.returncode != 0

    (run.folder / "results/tiny/media.tsv").unlink()
    other = Workflow(run.checkout, run.folder, str(python))
    other.run("results/tiny/media.tsv")
    assert (run.folder / "results/tiny/media.tsv").exists()


@pytest.mark.parametrize("target", ["results/ave/metrics.json", "results/ave/studies/fusion.csv"])
def test_a_data_set_that_the_config_lacks_is_one_line(beginner, target):
    """Those of the paper stand in config.yaml as comments."""
    said = complaint(beginner, target=target)
    assert said.splitlines()[0].startswith(
        "'ave' is not a data set of the config, which has demo, tiny;"
    )
