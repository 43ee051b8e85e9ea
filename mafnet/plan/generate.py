"""Writes the files that are generated from the models: `python -m mafnet.plan.generate`."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import yaml
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from mafnet.common.config import Settings
from mafnet.common.resources import SHARED as ROOT
from mafnet.plan.config import Config, Sections
from mafnet.plan.schema_parts import as_json
from mafnet.plan.schemas import dataset_schema, run_schema

COMMAND = "make generate"
BEGIN = f"# Generated from mafnet/*/config.py by `{COMMAND}`. Change defaults and comments there.\n"
END = "# End of the generated part.\n"
WIDTH = 100


class _Schema(GenerateJsonSchema):
    """JSON schema without titles, which would only repeat the names of the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - as in pydantic
        """No title."""
        return False


def config_schema() -> str:
    """workflow/schemas/config.schema.yaml: documents every key; editors can use it too."""
    schema = Config.model_json_schema(schema_generator=_Schema)
    sections = schema.pop("$defs")
    ordered = {"$schema": _Schema.schema_dialect} | schema | {"$defs": sections}
    head = f"# Generated from mafnet/*/config.py by `{COMMAND}`.\n"
    return head + yaml.safe_dump(_closed(ordered), sort_keys=False, allow_unicode=True, width=WIDTH)


def _closed(node: Any) -> Any:  # noqa: ANN401 - a node of a JSON schema
    """A node whose mappings by name are closed, without defaults that its keys repeat."""
    if isinstance(node, list):
        return [_closed(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    result = {key: _closed(value) for key, value in node.items()}
    if "patternProperties" in result:
        result["additionalProperties"] = False
    if "$ref" in result:
        result.pop("default", None)
    return result


def config_defaults() -> str:
    """config.yaml with a new generated part; the parts written by hand stay."""
    before, _, rest = (ROOT / "config.yaml").read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{''.join(_defaults(Sections(), 0, set())).lstrip()}{END}{after}"


def _defaults(settings: Settings, depth: int, used: set[str]) -> Iterator[str]:
    """The lines of a section, without mappings by name (variants, studies).

    used: the comments so far, because each comment is written once.
    """
    indent = "  " * depth
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        comment, first = _comment(field), f"{indent}# "
        nested = isinstance(value, Settings)
        if isinstance(value, dict) or (nested and not _has_defaults(value)):
            continue
        if depth == 0:
            yield "\n"
        if comment not in used:
            used.add(comment)
            yield textwrap.fill(comment, WIDTH, initial_indent=first, subsequent_indent=first)
            yield "\n"
        yield f"{indent}{key}:" + ("\n" if nested else f" {_as_yaml(value)}\n")
        if nested:
            yield from _defaults(value, depth + 1, used)


def _has_defaults(settings: Settings) -> bool:
    """True if a section has a key that is not a mapping by name."""
    return any(not isinstance(value, dict) for _, value in settings)


def _comment(field: FieldInfo) -> str:
    """The description of a key, with its unit and its allowed values."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = f" Unit: {extra['unit']}." if "unit" in extra else ""
    values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    explained = all(f"`{value}`" in (field.description or "") for value in values)
    listed = "" if explained else f" One of {', '.join(values)}."
    return f"{field.description}{unit}{listed}"


def _as_yaml(value: object) -> str:
    """A value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


FILES: dict[str, Callable[[], str]] = {
    "workflow/schemas/config.schema.yaml": config_schema,
    "config.yaml": config_defaults,
    "workflow/schemas/run.schema.json": lambda: as_json(run_schema()),
    "workflow/schemas/metrics.schema.json": lambda: as_json(dataset_schema()),
}
"""Path in the repository -> the function that returns the file's text."""


def stale(root: Path = ROOT) -> list[str]:
    """The generated files that are out of date."""
    return [
        path for path, text in FILES.items() if (root / path).read_text(encoding="utf-8") != text()
    ]


def main() -> None:
    """Write the files that are out of date."""
    for path in stale():
        (ROOT / path).write_text(FILES[path](), encoding="utf-8")
        click.echo(f"{path}: written")


if __name__ == "__main__":
    main()
