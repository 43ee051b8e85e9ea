"""Each user mistake gives one clear line; the form of the rules, and how they find Python."""

import html
import json
import os
import re
import shlex
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


def error_message(workflow, change=None, target=METRICS):
    """The text after `mafnet:` in the output of a run that is refused."""
    output = workflow.run(target, change=change, succeeds=False).stdout
    assert "Traceback" not in output
    assert "Exception" not in output
    assert not (workflow.folder / "results").exists(), "the run must stop before it writes results"
    return output[output.index("\nmafnet: ") + 9 :]


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
def test_each_wrong_setting_gives_one_line(beginner, change, expected):
    first, *lines = error_message(beginner, change).splitlines()
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
                "features.visual: backbone 'densenet' is unknown; did you mean densenet201?",
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
def test_each_wrong_name_gives_one_line(beginner, change, expected):
    first, *lines = error_message(beginner, change).splitlines()
    assert first == "config: fix these keys:"
    assert_lines(lines, expected)


def assert_lines(lines, beginnings):
    """Each beginning matches exactly one line."""
    left = set(beginnings)
    for line in lines:
        found = {beginning for beginning in left if line.startswith(f"  {beginning}")}
        assert len(found) == 1, line
        left -= found
    assert left == set()


def test_all_bad_rows_of_all_manifests_are_reported_together(beginner):
    (beginner.folder / "manifest.csv").write_text(BAD_ROWS)
    (beginner.folder / "other.csv").write_text(BAD_ROWS)
    change = {"splits": {"main": "manifest.csv", "other": "other.csv"}}
    output = error_message(beginner, change)
    assert output.count("faults; fix these rows:") == 2
    for row in ("row 3: video '../b.mp4'", "row 4: label is empty", "row 3: sample 'a'", "row 5: "):
        assert output.count(f"  {row}") == 2


def test_a_missing_manifest_gives_one_line(beginner):
    (beginner.folder / "manifest.csv").unlink()
    (line,) = error_message(beginner).splitlines()
    assert line.startswith("manifest.csv: cannot be read")


def test_a_missing_folder_of_videos_gives_one_line(beginner):
    (beginner.folder / "videos").rmdir()
    (line,) = error_message(beginner).splitlines()
    assert "videos is not a folder; set the folder that contains the videos" in line


def test_an_unknown_study_gives_one_line(beginner):
    for target in ("studies/fuson.csv", "figures/study-fuson.svg"):
        output = beginner.run(f"results/tiny/{target}", succeeds=False).stdout
        assert "Traceback" not in output
        line = output[output.index("\nmafnet: ") + 1 :].strip()
        assert line == (
            "mafnet: study 'fuson' is not in report.studies of tiny; did you mean fusion?"
        )


def test_a_data_set_without_files_does_not_block_another(beginner):
    """A user who does not have one data set's videos yet can work on another data set."""
    (beginner.folder / "manifest.csv").unlink()
    assert beginner.planned("results/demo/metrics.json")["demo"] == 1


def test_snakemake_lints_the_workflow(checkout, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint", "--snakefile", checkout / "Snakefile"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_rule_has_a_docstring_of_one_sentence(beginner):
    """`snakemake --list-rules` shows it."""
    listed = beginner.run("--list-rules").stdout
    names = {
        name
        for path in (REPOSITORY / "Snakefile", *(REPOSITORY / "workflow/rules").glob("*.smk"))
        for name in re.findall(r"^(?:rule|checkpoint) (\w+):", path.read_text(), re.MULTILINE)
    }
    described = re.findall(r"^(\w+) \(\w.*\.\)$", listed, re.MULTILINE)
    assert names <= set(described), "give each rule a docstring of one sentence"


def test_the_rules_use_the_mafnet_of_the_checkout(run, tmp_path):
    """As in a conda environment, which has the dependencies but not mafnet."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin/python"
    (packages,) = environment.glob("lib/python*/site-packages")
    # Python searches the path in a .pth file, but does not read the .pth files there (mafnet's).
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [python, "-c", "import mafnet"]
    assert subprocess.run(command, cwd=tmp_path, env=variables, check=False).returncode != 0

    (run.folder / "results/tiny/media.tsv").unlink()
    other = Workflow(run.checkout, run.folder, str(python))
    other.run("results/tiny/media.tsv")
    assert (run.folder / "results/tiny/media.tsv").exists()


@pytest.mark.parametrize("target", ["results/avee/metrics.json", "results/avee/studies/fusion.csv"])
def test_an_unknown_data_set_gives_one_line(beginner, target):
    (line,) = error_message(beginner, target=target).splitlines()
    assert line.startswith("'avee' is not a data set of the config, which has ave, demo, ")


@pytest.mark.parametrize(
    ("dataset", "file", "place"),
    [
        ("ave", "AVE_Dataset.zip", "data/ave"),
        ("ucf51", "UCF101TrainTestSplits-RecognitionTask.zip", "data/ucf51"),
        ("kinetics_sounds", "train.csv", "data/kinetics_sounds"),
    ],
)
def test_a_published_data_set_without_its_files_gives_one_line(beginner, dataset, file, place):
    (line,) = error_message(beginner, target=f"results/{dataset}/metrics.json").splitlines()
    assert line.startswith(f"{dataset}: its files are not in {place}; fetch ")
    assert file in line


def test_plain_targets_take_the_data_sets_that_are_here(beginner):
    """Not the demo and not the published ones; the terminal names these."""
    text = beginner.run("features", "-n", succeeds=False).stdout
    (command,) = re.findall(
        r"Left out: ave has no files; `mafnet (check ave --configfile \S*tiny.yaml)` says", text
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mafnet", *shlex.split(command)], capture_output=True, text=True,
        cwd=beginner.folder, check=False,
    )  # fmt: skip
    assert "AVE_Dataset.zip" in checked.stderr
    assert "Left out: demo is generated; name its target, results/demo/metrics.json.\n" in text
    assert "mafnet: manifest.csv: " in text  # of the data set tiny


def test_without_any_data_set_plain_targets_make_the_demo(checkout, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", checkout / "Snakefile", "--cores"]
    done = subprocess.run(
        [*command, "1", "-n", "--directory", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"^demo +1$", done.stdout, re.MULTILINE)
    assert "Left out: kinetics_sounds" in done.stdout


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("results/tiny/metric.json", "did you mean results/tiny/metrics.json?"),
        ("results/tiny/studies/fusions.csv", None),
        ("feature", "did you mean features?"),
        ("xyzzy", "`snakemake --list` names the rules"),
    ],
)
def test_a_misspelt_target_gives_one_line(beginner, target, hint):
    (line,) = error_message(beginner, target=target).splitlines()
    assert line == (
        f"{target}: no rule makes this; {hint}" if hint else
        "study 'fusions' is not in report.studies of tiny; did you mean fusion?"
    )  # fmt: skip


def test_a_result_that_configfile_swallows_gives_one_line(beginner):
    """`--configfile mine.yaml results/...` makes the result of an earlier run a config file."""
    (beginner.folder / "results/tiny").mkdir(parents=True)
    (beginner.folder / METRICS).write_text('{"dataset": "tiny"}')
    command = [*beginner.command("-n"), METRICS]
    done = subprocess.run(
        command, cwd=beginner.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    assert f"mafnet: {METRICS}: --configfile takes this target as a config file; put" in done.stdout


def test_numbers_inside_of_config_on_the_command_line_are_numbers(beginner):
    given = ("datasets={tiny: {video: {clips: 2, max_lost_fraction: 1e-1, silent: '0'}}}",)
    output = beginner.run(METRICS, "-n", "--config", *given, succeeds=False).stdout
    assert "silent: '0' is wrong; it must be 'zero', 'drop' or 'fail'" in output
    assert "clips" not in output[output.index("fix these keys") :]
    assert "max_lost_fraction" not in output[output.index("fix these keys") :]


def test_a_name_with_other_characters_gives_one_line_without_a_pattern(beginner):
    command = beginner.command("-n", "--config", "datasets={my-birds: {source: demo}}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (
        "datasets.my-birds: 'my-birds' is wrong; a name begins with a letter from A to Z and "
        "contains only such letters, digits and _"
    ) in done.stdout + done.stderr


@pytest.mark.slow
def test_the_recorded_command_makes_the_metrics_and_the_page_again(run):
    (run.folder / METRICS).unlink()  # its command names the folder of which this one is a copy
    run.run(METRICS)
    run.run("results/tiny/summary.html")
    recorded = json.loads((run.folder / METRICS).read_text())["provenance"]["command"]
    page = (run.folder / "results/tiny/summary.html").read_text()
    assert recorded.startswith("snakemake results/tiny/metrics.json ")
    (shown,) = re.findall(r"This page: <code>(.*?)</code>", page)
    assert "--configfile" in shown
    for command, made in ((recorded, METRICS), (html.unescape(shown), "results/tiny/summary.html")):
        (run.folder / made).unlink()
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)], cwd=run.folder, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (run.folder / made).exists()
