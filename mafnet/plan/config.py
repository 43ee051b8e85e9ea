"""The config: checked against the schema, merged for each data set."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, ValidationError

from mafnet.common.errors import MafnetError
from mafnet.common.resources import FOLDER, resource
from mafnet.dataset.origin import unknown_protocol
from mafnet.model.networks import FORMER_FILM
from mafnet.plan.names import hint, unknown_names

ORIGINS = (
    "needs `root` and `splits` (your videos), or `source: demo`, or another `source` with one of "
    "`archive`, `folder` and `download: true`; other keys of these do not go together"
)
STAGE_SECTIONS = ("video", "features", "model", "report")


def check_config(config: Mapping, schema_path: Path, weights_table: Path) -> None:
    """MafnetError with a line for every key that the schema refuses and every unknown name.

    weights_table: resources/weights.tsv.
    """
    schema = yaml.safe_load(schema_path.read_text(encoding="utf-8"))
    errors = Draft202012Validator(schema).iter_errors(config)
    faults = [fault for error in errors for fault in _faults(error)]
    faults += _unknown_names(config, weights_table) if not faults else []
    if faults:
        raise MafnetError("\n".join(["config: mend these keys:", *(f"  {f}" for f in faults)]))


def read_config(files: Sequence[Path]) -> dict:
    """The settings that the workflow would have: config.yaml with files laid over it, checked.

    config.yaml is that of the current folder, else the checkout's.
    """
    checkout = FOLDER.parent
    own = Path("config.yaml")
    config: dict = {}
    for path in (own if own.exists() else checkout / "config.yaml", *files):
        config = merged(config, _loaded(path))
    schema = checkout / "workflow/schemas/config.schema.yaml"
    check_config(config, schema, resource("weights.tsv"))
    return config


def _loaded(path: Path) -> dict:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise MafnetError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(found, dict):
        raise MafnetError(f"{path}: is no mapping of settings")
    return found


def dataset_config(config: Mapping, dataset: str) -> dict:
    """The stage sections that hold for a data set: the common ones with its own laid over them."""
    own = config["datasets"][dataset]
    return {section: merged(config[section], own.get(section, {})) for section in STAGE_SECTIONS}


def merged(base: Mapping, over: Mapping) -> dict:
    """`base` with the keys of `over` laid over it, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = merged(inner, value) if both else value
    return result


def _faults(error: ValidationError) -> Iterator[str]:
    """The lines of one error, with the wrong key in full and a likely right one."""
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = list(error.schema.get("properties", ()))
        for key in sorted(set(map(str, error.instance)) - set(known)):
            yield f"{place + '.' if place else ''}{key}: is unknown; {hint(key, known)}"
    elif error.validator == "oneOf":
        yield f"{place}: {ORIGINS}"
    elif place.endswith(".options.film") and isinstance(error.instance, bool):
        yield f"{place}: {FORMER_FILM[error.instance]}"
    elif error.validator == "type" and _written_as_text(error.instance):
        yield f"{place}: {error.instance!r} is a text; write a number, without quotes, as in 1.0e-3"
    else:
        yield f"{place or 'config'}: {error.message}"


def _written_as_text(value: object) -> bool:
    """True for a text that reads as a number, such as 1e-3: YAML wants 1.0e-3."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _unknown_names(config: Mapping, weights_table: Path) -> list[str]:
    """The wrong names in the settings of all data sets, each once."""
    sections = [dataset_config(config, dataset) for dataset in config["datasets"]]
    faults = [fault for own in sections for fault in unknown_names(own, weights_table)]
    for name, entry in config["datasets"].items():
        if fault := unknown_protocol(entry):
            faults.append(f"datasets.{name}.protocol: {fault}")
    return list(dict.fromkeys(faults))
