"""Base class and field types of the pydantic models of the config.

Each stage has a module `config.py` with the models of its section. A field defines a key
completely: type, range, default, unit and description. The schema, the defaults in config.yaml and
the checks are derived from it.
"""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from mafnet.common.config_errors import faults
from mafnet.common.errors import MafnetError

LATER = "later"
"""Marks a key that was added after version 0.1: `key: Annotated[int, LATER] = Field(...)`.

Results record such a key only if it differs from its default. So a new key causes no reruns.
"""


class Settings(BaseModel):
    """A section of the config. Unknown keys and values of another type are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def recorded(self) -> dict[str, Any]:
        """The values that results depend on: all keys except LATER keys that have their default."""
        return without_neutral(type(self), self.model_dump())


def without_neutral(kind: type[Settings], values: Mapping) -> dict[str, Any]:
    """Checked values of a section, or of a part of it, without LATER keys that have their default.

    Inner sections too. Digests and parameters of rules have this form.
    """
    result = {}
    for key, value in values.items():
        field = kind.model_fields[key]
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings):
            value = without_neutral(inner, value)
        if LATER not in field.metadata or value != field.default:
            result[key] = value
    return result


def _as_written(value: object, check: ValidatorFunctionWrapHandler) -> object:
    check(value)
    return value


def _each_once(values: list) -> list:
    if len(set(values)) < len(values):
        raise ValueError("names an entry twice; name each once")
    return values


def _without_braces(path: str) -> str:
    if "{" in path or "}" in path:
        raise ValueError(
            f"{path!r} contains a brace, which Snakemake takes for a wildcard; rename the file or "
            "folder, or give a path without it"
        )
    return path


def expanded(path: str) -> str:
    """A path with `~` and `$VAR` replaced; ValueError for a variable that is not set.

    A path that exists as it is written stays.
    """
    if os.path.lexists(path):
        return path
    found = os.path.expandvars(os.path.expanduser(path))
    if unset := re.search(r"\$(\w+|\{\w+\})", found):
        raise ValueError(f"{path!r} names {unset[0]}, which the environment does not set; set it")
    return found


Number = Annotated[float, WrapValidator(_as_written)]
"""A number as the user wrote it: 1 stays 1, because results record the text and 1.0 differs."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""A name that is used as a folder name."""

Text = Annotated[str, StringConstraints(min_length=1)]
InputPath = Annotated[str, AfterValidator(expanded), AfterValidator(_without_braces)]
"""A path of a file that a rule reads, or of its folder; may be empty."""

PathText = Annotated[str, AfterValidator(expanded)]
"""A path; `~` and `$VAR` are replaced, as in a shell."""

EachOnce = AfterValidator(_each_once)

Kind = TypeVar("Kind", bound=Settings)


def parse(kind: type[Kind], values: Mapping, what: str) -> Kind:
    """Validate the settings of one section; MafnetError names every wrong key.

    what: the origin of the values, for the message.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise MafnetError("; ".join(f"{what}: {fault}" for fault in faults(error, kind))) from error
