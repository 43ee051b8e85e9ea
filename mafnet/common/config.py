"""What the models of the config share: the base class and the types of their fields.

Each stage has a module `config.py` with the models of its section. A field holds all that is known
of a key: type, range, default, unit and description. The schema, the defaults in config.yaml and
the checks follow from it.
"""

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
"""Marks a key that came after version 0.1: `key: Annotated[int, LATER] = Field(...)`.

While it has its default, no result records it. So a new key makes nothing run again.
"""


class Settings(BaseModel):
    """A section of the config. Unknown keys and values of another type are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def recorded(self) -> dict[str, Any]:
        """The values that results depend on: all but later keys that have their default."""
        neutral = {
            name
            for name, field in type(self).model_fields.items()
            if LATER in field.metadata and getattr(self, name) == field.default
        }
        return self.model_dump(exclude=neutral)


def _as_written(value: object, check: ValidatorFunctionWrapHandler) -> object:
    check(value)
    return value


def _each_once(values: list) -> list:
    if len(set(values)) < len(values):
        raise ValueError("names an entry twice; name each once")
    return values


Number = Annotated[float, WrapValidator(_as_written)]
"""A number as the user wrote it: 1 stays 1, because results record it and 1.0 is another text."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""A name that becomes a folder."""

Text = Annotated[str, StringConstraints(min_length=1)]
EachOnce = AfterValidator(_each_once)

Kind = TypeVar("Kind", bound=Settings)


def parse(kind: type[Kind], values: Mapping, what: str) -> Kind:
    """The settings of one section; MafnetError names every wrong key.

    what: where the values come from, for the message.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise MafnetError("; ".join(f"{what}: {fault}" for fault in faults(error, kind))) from error
