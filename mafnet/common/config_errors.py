"""Messages about wrong settings: one line for each key, with what to do."""

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
class _Place:
    """Where an error is.

    path: the keys on the way, the wrong one last.
    known: the keys of the model that the wrong one is in.
    tag: which of several models that is, empty if there is one only.
    elsewhere: the keys of all these models, if the wrong key is directly in one of them.
    """

    path: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    tag: str = ""
    elsewhere: tuple[str, ...] = ()


def faults(
    error: ValidationError, kind: type[BaseModel], replaced: Mapping[str, str] | None = None
) -> list[str]:
    """The lines of a validation error, each with the key in full.

    kind: the model that refused the values.
    replaced: keys of earlier versions, with what to do about them.
    """
    return [_line(entry, kind, replaced or {}) for entry in error.errors(include_url=False)]


def _line(entry: ErrorDetails, kind: type[BaseModel], replaced: Mapping[str, str]) -> str:
    place = _place(entry["loc"], kind)
    key = ".".join(place.path)
    unknown = entry["type"] == "extra_forbidden"
    message = _unknown(key, place, replaced) if unknown else _message(entry, place)
    return f"{key}: {message}" if key else message


def _unknown(key: str, place: _Place, replaced: Mapping[str, str]) -> str:
    for old, text in replaced.items():  # also in the section of a data set
        if f".{key}".endswith(f".{old}"):
            return text
    if place.path[-1] in place.elsewhere:
        return f"does not go with {place.tag}; delete the key"
    return f"is unknown; {hint(place.path[-1], place.known)}"


def _message(entry: ErrorDetails, place: _Place) -> str:
    value, text = entry["input"], entry["msg"]
    if entry["type"] == "value_error":
        return str(entry["ctx"]["error"])
    if entry["type"] == "missing":
        return "is missing" + (f"; {place.tag} needs it" if place.elsewhere else "")
    if entry["type"] in ("model_type", "dict_type"):
        return f"{reprlib.repr(value)} is wrong; it must be a mapping of keys to values"
    if entry["type"] in ("int_type", "float_type") and _reads_as_number(value):
        return f"{value!r} is a text; write a number, without quotes, as in 1.0e-3"
    text = text.replace("Input should", "it must").replace("should", "must")
    text = text.replace(" after validation", "")
    return f"{reprlib.repr(value)} is wrong; {text[0].lower()}{text[1:]}"


def _reads_as_number(value: object) -> bool:
    """True for a text such as 1e-3, which YAML takes for no number: it wants 1.0e-3."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _place(location: tuple[int | str, ...], kind: object) -> _Place:
    """Follows the location of an error from a model inwards."""
    place, every = _Place(), ()
    for part in location:
        if part == "[key]":  # which says that the key itself is wrong
            continue
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if get_origin(kind) in (Union, UnionType):  # of models with tags, and the part is a tag
            models = {model: tag for model, *tags in map(get_args, get_args(kind)) for tag in tags}
            kind = next(model for model, tag in models.items() if tag == Tag(str(part)))
            place = replace(place, tag=str(part))
            every = tuple(key for model in models for key in model.model_fields)
        else:
            kind, known = _inside(kind, part)
            place = _Place((*place.path, str(part)), known, place.tag, every)
            every = ()
    return place


def _inside(kind: object, part: int | str) -> tuple[object, tuple[str, ...]]:
    """The type of a key's value, None if it is unknown, and all keys that the model has."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        return fields[part].annotation if part in fields else None, tuple(fields)
    arguments = get_args(kind)
    return arguments[-1] if arguments else None, ()
