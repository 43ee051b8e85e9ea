"""Writes the files that follow from the package: `python -m mafnet.plan.generate`."""

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
from mafnet.plan.schemas import as_json, dataset_schema, run_schema

COMMAND = "make generate"
BEGIN = f"# Generated from mafnet/*/config.py by `{COMMAND}`. Change defaults and comments there.\n"
END = "# End of the generated part.\n"
WIDTH = 100


class _Schema(GenerateJsonSchema):
    """JSON schema without the titles that only repeat the name of the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - as in pydantic
        """No title."""
        return False


def config_schema() -> str:
    """workflow/schemas/config.schema.yaml, which documents every key and serves editors."""
    schema = Config.model_json_schema(schema_generator=_Schema)
    sections = schema.pop("$defs")
    ordered = {"$schema": _Schema.schema_dialect} | schema | {"$defs": sections}
    head = f"# Generated from mafnet/*/config.py by `{COMMAND}`.\n"
    return head + yaml.safe_dump(_closed(ordered), sort_keys=False, allow_unicode=True, width=WIDTH)


def _closed(node: Any) -> Any:  # noqa: ANN401 - a node of a JSON schema
    """A node whose mappings by name are closed, without the defaults that its own keys have."""
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
    """config.yaml with the generated part made anew; what is written by hand stays."""
    before, _, rest = (ROOT / "config.yaml").read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{''.join(_defaults(Sections(), 0, set())).lstrip()}{END}{after}"


def _defaults(settings: Settings, depth: int, said: set[str]) -> Iterator[str]:
    """The lines of a section; mappings by name (variants, studies) are written by hand.

    said: the comments so far; each is written once.
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
        if comment not in said:
            said.add(comment)
            yield textwrap.fill(comment, WIDTH, initial_indent=first, subsequent_indent=first)
            yield "\n"
        yield f"{indent}{key}:" + ("\n" if nested else f" {_written(value)}\n")
        if nested:
            yield from _defaults(value, depth + 1, said)


def _has_defaults(settings: Settings) -> bool:
    """True if not all keys of a section are mappings by name."""
    return any(not isinstance(value, dict) for _, value in settings)


def _comment(field: FieldInfo) -> str:
    """The description of a key, with its unit and the values that it may have."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = f" Unit: {extra['unit']}." if "unit" in extra else ""
    values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    explained = all(f"`{value}`" in (field.description or "") for value in values)
    listed = "" if explained else f" One of {', '.join(values)}."
    return f"{field.description}{unit}{listed}"


def _written(value: object) -> str:
    """A value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


FILES: dict[str, Callable[[], str]] = {
    "workflow/schemas/config.schema.yaml": config_schema,
    "config.yaml": config_defaults,
    "workflow/schemas/run.schema.json": lambda: as_json(run_schema()),
    "workflow/schemas/metrics.schema.json": lambda: as_json(dataset_schema()),
}
"""Path in the repository -> what makes its text."""


def stale(root: Path = ROOT) -> list[str]:
    """The files whose text is not the one that follows from the models."""
    return [
        path for path, made in FILES.items() if (root / path).read_text(encoding="utf-8") != made()
    ]


def main() -> None:
    """Write the files that are stale."""
    for path in stale():
        (ROOT / path).write_text(FILES[path](), encoding="utf-8")
        click.echo(f"{path}: written")


if __name__ == "__main__":
    main()
