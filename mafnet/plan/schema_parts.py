"""Parts of JSON schemas: objects, descriptions, references."""

import json

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def document(title: str, description: str, body: dict, definitions: dict) -> dict:
    """A schema from the object at its root and its definitions."""
    head = {"$schema": DRAFT, "title": title, "description": description}
    return head | body | {"$defs": definitions}


def closed(optional: tuple[str, ...] = (), **properties: dict) -> dict:
    """An object with only these properties; all are required except the optional ones."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }


def about(text: str) -> dict:
    """The description of a value."""
    return {"description": text}


def count(text: str, least: int = 0) -> dict:
    """An integer."""
    return about(text) | {"type": "integer", "minimum": least}


def reference(name: str, text: str) -> dict:
    """A reference to a definition."""
    return about(text) | {"$ref": f"#/$defs/{name}"}


def percent_or_null(text: str) -> dict:
    """A share in percent that may be missing."""
    return about(text) | or_null({"$ref": "#/$defs/percent"})


def by_name(text: str, part: str) -> dict:
    """An object whose values all have one definition."""
    values = {"$ref": f"#/$defs/{part}"}
    return about(text) | {"type": "object", "additionalProperties": values}


def by_modality(text: str, part: str) -> dict:
    """The same with modalities as names."""
    return by_name(text, part) | {"propertyNames": {"enum": ["visual", "audio"]}}


def as_json(schema: dict) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def pair(number: dict) -> dict:
    """Schema of an interval [low, high]."""
    return {"type": "array", "prefixItems": [number, number], "items": False, "minItems": 2}


def or_null(schema: dict) -> dict:
    """A schema that also allows null."""
    return {"oneOf": [schema, {"type": "null"}]}
