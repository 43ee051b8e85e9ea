"""Numbers inside the mappings and lists of `snakemake --config`, which Snakemake reads as texts."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml
from pydantic import ValidationError

from mafnet.common.config_errors import full_key
from mafnet.plan.config import Config

NEEDED = ("int_type", "float_type", "bool_type")
"""Types of pydantic's errors for a text where a number or true or false is needed."""


def with_numbers(config: Mapping, given: Mapping) -> Mapping:
    """The config, in which texts from `given` are numbers (or true, false) where they must be.

    given: the settings of --config. Other texts stay, so that a config file must be right.
    """
    if not given:
        return config
    try:
        Config.model_validate(config)
        return config
    except ValidationError as error:
        wrong = [entry for entry in error.errors() if entry["type"] in NEEDED]
    result = deepcopy(dict(config))
    for entry in wrong:
        *path, key = full_key(entry["loc"], Config)
        if _at(given, (*path, key)) == entry["input"]:
            _at(result, path)[_index(_at(result, path), key)] = _value(entry["input"])
    return result


def _value(text: str) -> object:
    """The number, or true or false, that a text states; else the text."""
    try:
        return float(text) if "e" in text.lower() else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return yaml.safe_load(text) if text.lower() in ("true", "false") else text


def _at(values: Any, path: tuple[str, ...] | list[str]) -> Any:  # noqa: ANN401 - nested settings
    """The value at a path of keys and indices; None if there is none."""
    for key in path:
        try:
            values = values[_index(values, key)]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return values


def _index(values: object, key: str) -> str | int:
    return int(key) if isinstance(values, list) else key
