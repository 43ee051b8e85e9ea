"""Messages about wrong settings: one line per key, with the fix."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from mafnet.common.errors import hint


@dataclass(frozen=True)
class _Position:
    """Position of an error in the config.

    path: the keys from the top to the wrong key.
    known: the keys of the model that contains the wrong key.
    tag: the name of the model in a union of models; empty outside of unions.
    elsewhere: the keys of all models of the union, if the wrong key is directly in one of them.
    """

    path: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    tag: str = ""
    elsewhere: tuple[str, ...] = ()


def faults(
    error: ValidationError, kind: type[BaseModel], replaced: Mapping[str, str] | None = None
) -> list[str]:
    """The lines of a validation error, each with the full key.

    kind: the model that rejected the values.
    replaced: keys of earlier versions, each with a message that names its replacement.
    """
    return [_line(entry, kind, replaced or {}) for entry in error.errors(include_url=False)]


def full_key(location: tuple[int | str, ...], kind: type[BaseModel]) -> tuple[str, ...]:
    """The keys and indices from the top to a wrong value, as the user wrote them."""
    return _position(location, kind).path


def _line(entry: ErrorDetails, kind: type[BaseModel], replaced: Mapping[str, str]) -> str:
    position = _position(entry["loc"], kind)
    key = ".".join(position.path)
    unknown = entry["type"] == "extra_forbidden"
    message = _unknown(key, position, replaced) if unknown else _message(entry, position)
    return f"{key}: {message}" if key else message


def _unknown(key: str, position: _Position, replaced: Mapping[str, str]) -> str:
    for old, text in replaced.items():  # also inside the section of a data set
        if f".{key}".endswith(f".{old}"):
            return text
    if position.path[-1] in position.elsewhere:
        return f"does not go with {position.tag}; delete the key"
    return f"is unknown; {hint(position.path[-1], position.known)}"


def _message(entry: ErrorDetails, position: _Position) -> str:
    value, text = entry["input"], entry["msg"]
    if entry["type"] == "value_error":
        return str(entry["ctx"]["error"])
    if entry["type"] == "missing":
        return "is missing" + (f"; {position.tag} needs it" if position.elsewhere else "")
    if entry["type"] == "string_pattern_mismatch":
        return (
            f"{reprlib.repr(value)} is wrong; a name begins with a letter from A to Z and contains "
            "only such letters, digits and _"
        )
    if entry["type"] in ("model_type", "dict_type"):
        return f"{reprlib.repr(value)} is wrong; it must be a mapping of keys to values"
    if entry["type"] in ("int_type", "float_type") and _reads_as_number(value):
        return f"{value!r} is a text; write a number, without quotes, as in 1.0e-3"
    text = text.replace("Input should", "it must").replace("should", "must")
    text = text.replace(" after validation", "")
    return f"{reprlib.repr(value)} is wrong; {text[0].lower()}{text[1:]}"


def _reads_as_number(value: object) -> bool:
    """True for text such as 1e-3: YAML reads only 1.0e-3 as a number."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _position(location: tuple[int | str, ...], kind: object) -> _Position:
    """Convert the location of a pydantic error, starting at its outermost model."""
    position, every = _Position(), ()
    for part in location:
        if part == "[key]":  # pydantic marks a wrong key by it
            continue
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if get_origin(kind) in (Union, UnionType):  # a union of tagged models: the part is a tag
            models = {model: tag for model, *tags in map(get_args, get_args(kind)) for tag in tags}
            kind = next(model for model, tag in models.items() if tag == Tag(str(part)))
            position = replace(position, tag=str(part))
            every = tuple(key for model in models for key in model.model_fields)
        else:
            kind, known = _inside(kind, part)
            position = _Position((*position.path, str(part)), known, position.tag, every)
            every = ()
    return position


def _inside(kind: object, part: int | str) -> tuple[object, tuple[str, ...]]:
    """The type of a key's value (None if unknown) and all keys of the model."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        return fields[part].annotation if part in fields else None, tuple(fields)
    arguments = get_args(kind)
    return arguments[-1] if arguments else None, ()
