"""What users get wrong, what files that say the same must agree on, and the form of the rules."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv

import pytest
import yaml
from jsonschema import Draft202012Validator
from tiny_run import METRICS, REPOSITORY, Workflow

from mafnet.features.fingerprint import FeatureSettings
from mafnet.model.networks.mafnet import MAFnetOptions
from mafnet.model.settings import Training
from mafnet.video.settings import VideoSettings

pytestmark = pytest.mark.workflow

SCHEMAS = REPOSITORY / "workflow/schemas"
SECTIONS = ("video", "features", "model", "report")
OTHER = {"network": "mafnet", "options": {"units": 8}}
BAD_ROWS = """sample,video,label,subset
a,a.mp4,x,train
a,../b.mp4,x,train
c,c.mp4,,val
d,a.mp4,x,test
"""


def config():
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def schema(name):
    return yaml.safe_load((SCHEMAS / name).read_text())


@pytest.fixture
def beginner(checkout, tmp_path):
    """A folder with settings and a manifest, but no videos and no results."""
    (tmp_path / "tiny.yaml").write_text((REPOSITORY / "tests/tiny.yaml").read_text())
    (tmp_path / "videos").mkdir()
    (tmp_path / "manifest.csv").write_text("sample,video,label,subset\na,a.mp4,x,train\n")
    return Workflow(checkout, tmp_path)


def complaint(workflow, change=None):
    """What follows `mafnet:` in the words of a run that is refused."""
    said = workflow.run(METRICS, change=change, succeeds=False).stdout
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
                ".model.seeds: [] should be non-empty",
                ".model.training.learning_rat: is unknown; did you mean learning_rate?",
                ".model.training.min_gain: '1e-3' is a text; write a number, without quotes, as in "
                "1.0e-3",
                ".video.clips: 0 is less than the minimum of 1",
            },
        ),
        ({"source": "demo"}, {": needs `root` and `splits` (your videos), or `source: demo`"}),
    ],
    ids=["keys and values", "origin"],
)
def test_every_wrong_setting_is_one_line(beginner, change, expected):
    first, *lines = complaint(beginner, change).splitlines()
    assert first == "config: mend these keys:"
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
                "model.main: variant 'mafnett' is not in model.variants (mafnet, ",
                "model.variants.mine.network: network 'mafnet2' is unknown; choose one of ",
                "model.variants.other.options.units: network mafnet has no such option; choose ",
                "report.studies.mine: variant 'nofilm' is not in model.variants (mafnet, ",
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
    assert first == "config: mend these keys:"
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
    assert said.count("faults; mend these rows:") == 2
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


def test_other_data_sets_do_not_disturb(beginner):
    """Who has no videos of one data set yet can work on another."""
    (beginner.folder / "manifest.csv").unlink()
    assert beginner.planned("results/demo/metrics.json")["demo"] == 1


def resolved(node, root):
    """A schema's node without its `$ref`, which may have a default beside it."""
    if "$ref" not in node:
        return node
    name = node["$ref"].removeprefix("#/$defs/")
    return resolved(root["$defs"][name], root) | {k: v for k, v in node.items() if k != "$ref"}


def defaults(node, root, path=()):
    """Every (path, default) below a node of the schema."""
    node = resolved(node, root)
    if "default" in node:
        yield path, node["default"]
    for key, inner in node.get("properties", {}).items():
        yield from defaults(inner, root, (*path, key))


def lookup(settings, path):
    for key in path:
        settings = settings[key]
    return settings


def schema_defaults():
    root = schema("config.schema.yaml")
    return [
        (path, value)
        for section in SECTIONS
        for path, value in defaults(root["properties"][section], root, (section,))
    ]


@pytest.mark.parametrize(("path", "default"), schema_defaults(), ids=lambda v: str(v)[:50])
def test_config_and_schema_have_the_same_defaults(path, default):
    value = lookup(config(), path)
    expected = value if not isinstance(value, dict) else default | value
    assert expected == default, (
        f"config.yaml has {'.'.join(path)}: {value}, the schema's default is {default}; "
        "give both the same value"
    )


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_the_schema_is_in_config(section):
    """config.yaml is where the defaults come from; a key that is not there has none."""
    root = schema("config.schema.yaml")
    known = resolved(root["properties"][section], root)["properties"]
    missing = set(known) - set(config()[section])
    assert not missing, f"config.yaml: add {', '.join(missing)} to {section}, with a comment"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (VideoSettings, ("video",)),
        (Training, ("model", "training")),
        (MAFnetOptions, ("model", "network")),
        (FeatureSettings, ("features", "visual")),
        (FeatureSettings, ("features", "audio")),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else ".".join(value),
)
def test_config_and_code_have_the_same_defaults(kind, path):
    settings = lookup(config(), path)
    for field in dataclasses.fields(kind):
        assert field.name in settings, f"config.yaml: add {field.name} to {'.'.join(path)}"
        if field.default is not dataclasses.MISSING:
            assert settings[field.name] == field.default, (
                f"config.yaml has {'.'.join(path)}.{field.name}: {settings[field.name]}, "
                f"{kind.__name__} has {field.default}; give both the same value"
            )


def test_every_key_is_described_and_every_object_closed():
    """But for settings by name (data sets, variants), which are described where they are used."""
    for name in ("config.schema.yaml", "metrics.schema.json", "run.schema.json"):
        for place, node in objects(schema(name)):
            assert "additionalProperties" in node, f"{name}: {place} is open"
            for key, inner in node.get("properties", {}).items():
                described = inner is False or "description" in inner or "$ref" in inner
                assert described, f"{name}: describe {place}.{key}"


def objects(node, place="schema"):
    """Every object of a schema with its place."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield place, node
        for key, inner in node.items():
            yield from objects(inner, f"{place}.{key}")


def pins(lines):
    """Package to specifier of lines such as `numpy==2.4.6`."""
    return dict(re.fullmatch(r"([\w.-]+)(?:\[.*\])?\s*(\S*)", line).groups() for line in lines)


def environment(name):
    """The pip packages of an environment of the rules, and its python."""
    content = yaml.safe_load((REPOSITORY / "envs" / name).read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in content if isinstance(entry, dict))
    (python,) = (entry for entry in content if str(entry).startswith("python "))
    return pins(pip), python


def test_the_environments_have_the_pins_of_the_package():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = pins(project["dependencies"])
    found, python = environment("mafnet.yaml")
    assert found == wanted, "envs/mafnet.yaml: copy the pins of pyproject.toml's dependencies"
    assert project["requires-python"].startswith(f">={python.removeprefix('python =')},")


def test_the_environment_of_tensorflow_has_the_pins_of_its_extra():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    found, _ = environment("vggish.yaml")
    extra = pins(project["optional-dependencies"]["vggish"])
    known = pins(project["dependencies"]) | extra
    for package, pin in found.items():
        assert known[package] == pin, f"envs/vggish.yaml: {package} is {known[package]} elsewhere"
    assert set(extra) <= set(found)


def test_outputs_follow_their_schemas(finished_run):
    results = finished_run.folder / "results/tiny"
    runs = sorted(results.glob("main/mafnet/seed*/metrics.json"))
    assert len(runs) == 2
    for path, name in [(results / "metrics.json", "metrics"), *((run, "run") for run in runs)]:
        validator = Draft202012Validator(schema(f"{name}.schema.json"))
        faults = [error.message for error in validator.iter_errors(json.loads(path.read_text()))]
        assert faults == [], f"{path}: mend it or workflow/schemas/{name}.schema.json"


def test_the_schema_of_outputs_refuses_what_is_missing_or_unknown(finished_run):
    metrics = json.loads((finished_run.folder / METRICS).read_text())
    validator = Draft202012Validator(schema("metrics.schema.json"))
    assert not validator.is_valid(metrics | {"acuracy": 1})
    assert not validator.is_valid({key: metrics[key] for key in metrics if key != "accuracy"})
    assert not validator.is_valid(metrics | {"accuracy": metrics["accuracy"] | {"mean": 101}})


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
