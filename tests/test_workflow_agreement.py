"""Files with the same information must agree: config, schemas, code, environments, outputs."""

import json
import re
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires

import yaml
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.tiny_run import METRICS, REPOSITORY

from mafnet.model.networks.options import CommonOptions
from mafnet.plan.config import Sections
from mafnet.plan.generate import COMMAND, stale

SCHEMAS = REPOSITORY / "workflow/schemas"


def config():
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def schema(name):
    return yaml.safe_load((SCHEMAS / name).read_text())


def test_generated_files_are_up_to_date():
    assert not stale(), f"run `{COMMAND}` and commit {', '.join(stale())}"


def test_the_schema_accepts_config_yaml_and_refuses_unknown_keys():
    """Editors validate with the schema, and the workflow validates with the models."""
    validator = Draft202012Validator(schema("config.schema.yaml"))
    assert [error.message for error in validator.iter_errors(config())] == []
    for section in ("video", "features", "model", "report", "datasets"):
        changed = config()
        changed[section]["unknown key"] = 1
        assert not validator.is_valid(changed), section


def test_config_yaml_has_the_defaults_of_the_models():
    written = config()
    sections = Sections().model_dump(exclude={"model": {"variants"}, "report": True})
    for name, section in sections.items():
        found = {key: value for key, value in written[name].items() if key != "variants"}
        assert found == section


def test_config_has_the_defaults_of_the_networks():
    defaults = {name: field.default for name, field in CommonOptions.model_fields.items()}
    assert config()["model"]["network"] == defaults


def test_every_key_has_a_description_and_every_object_is_closed():
    """Entries by name (data sets, variants) are described in the key that contains them."""
    for name in ("config.schema.yaml", "metrics.schema.json", "run.schema.json"):
        for path, node in objects(schema(name)):
            assert "additionalProperties" in node, f"{name}: {path} accepts unknown keys"
            for key, inner in node.get("properties", {}).items():
                described = "description" in inner or "$ref" in inner
                assert described, f"{name}: {path}.{key} needs a description"


def objects(node, path="schema"):
    """Every object of a schema with its path."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield path, node
        for key, inner in node.items():
            yield from objects(inner, f"{path}.{key}")


def pins(lines):
    """Map each package to its version, from lines such as `numpy==2.4.6`."""
    return dict(re.fullmatch(r"([\w.-]+)(?:\[.*\])?\s*(\S*)", line).groups() for line in lines)


def environment(name):
    """The pip lines and the Python version of an environment of the rules."""
    found = yaml.safe_load((REPOSITORY / "envs" / name).read_text())
    (pip,) = (entry["pip"] for entry in found["dependencies"] if isinstance(entry, dict))
    packages = [entry for entry in found["dependencies"] if isinstance(entry, str)]
    # `nodefaults` is a channel for newer conda; without it, older conda adds its own channels.
    assert found["channels"] == ["conda-forge"]
    assert all(package.startswith("conda-forge::") for package in packages)
    (python,) = (entry for entry in packages if "python " in entry)
    return pip, python.removeprefix("conda-forge::")


def names(lines):
    """The names of the packages of some lines."""
    return {canonicalize_name(Requirement(line).name) for line in lines}


def needed(requirements):
    """The names of all packages that some requirements need here, indirect ones too."""
    remaining, found = list(requirements), set()
    while remaining:
        requirement = Requirement(remaining.pop())
        name, marker = canonicalize_name(requirement.name), requirement.marker
        if name not in found and (marker is None or marker.evaluate({"extra": ""})):
            found.add(name)
            with suppress(PackageNotFoundError):
                remaining += requires(name) or []
    return found


def test_the_environment_has_all_packages_with_the_versions_of_the_lock():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines, python = environment("mafnet.yaml")
    text = (REPOSITORY / "requirements.lock").read_text().splitlines()
    locked = [line.removesuffix(" \\") for line in text if line[:1].isalnum()]
    direct = project["dependencies"] + project["optional-dependencies"]["openvino"]
    missing = needed(direct) & names(locked) - names(lines)
    assert (set(lines) - set(locked), missing) == (set(), set()), "run `make lock`"
    assert project["requires-python"].startswith(f">={python.removeprefix('python =')},")


def test_the_tensorflow_environment_has_every_package_with_a_version_that_pyproject_allows():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = environment("vggish.yaml")[0]
    found = {
        canonicalize_name(line.split("==")[0]): line.split("==")[1].split()[0] for line in lines
    }
    for requirement in map(Requirement, project["optional-dependencies"]["vggish"]):
        assert requirement.specifier.contains(found[requirement.name]), "run `make lock`"
    assert {"keras", "protobuf"} <= set(found)  # indirect ones


def test_outputs_match_their_schemas(finished_run):
    results = finished_run.folder / "results/tiny"
    runs = sorted(results.glob("main/mafnet/seed*/metrics.json"))
    assert len(runs) == 2
    for path, name in [(results / "metrics.json", "metrics"), *((run, "run") for run in runs)]:
        validator = Draft202012Validator(schema(f"{name}.schema.json"))
        faults = [error.message for error in validator.iter_errors(json.loads(path.read_text()))]
        assert faults == [], f"{path}: fix it or mafnet/plan/schemas.py"


def test_the_schema_of_outputs_refuses_missing_and_unknown_keys(finished_run):
    metrics = json.loads((finished_run.folder / METRICS).read_text())
    validator = Draft202012Validator(schema("metrics.schema.json"))
    assert not validator.is_valid(metrics | {"acuracy": 1})
    assert not validator.is_valid({key: metrics[key] for key in metrics if key != "accuracy"})
    assert not validator.is_valid(metrics | {"accuracy": metrics["accuracy"] | {"mean": 101}})
