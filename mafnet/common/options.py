"""Command-line options that several commands share."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

existing = click.Path(exists=True, dir_okay=False, path_type=Path)
folder = click.Path(exists=True, file_okay=False, path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)
any_path = click.Path(path_type=Path)


class JsonType(click.ParamType):
    """A JSON object, or @FILE with a JSON object."""

    name = "json"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict:
        """Parse the object; a usage error if it is not a JSON object."""
        text = str(value)
        try:
            found = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
        except (OSError, ValueError, RecursionError) as error:
            self.fail(f"is not a JSON object or @FILE ({error})", param, ctx)
        if not isinstance(found, dict):
            self.fail("is not a JSON object", param, ctx)
        return found


manifests = click.option(
    "--manifest", "manifests", type=existing, multiple=True, required=True,
    help="Manifest (CSV); repeat the option for each split.",
)  # fmt: skip
root = click.option("--root", type=any_path, required=True, help="Folder of the videos.")
link_roots = click.option(
    "--link-root", "link_roots", type=any_path, multiple=True,
    help="Folder outside the root to which links may lead.",
)  # fmt: skip
output = click.option("--output", type=new_file, required=True, help="File to write.")
settings = click.option(
    "--settings", type=JsonType(), required=True,
    help="Settings as a JSON object or @FILE; the keys are those of config.yaml.",
)  # fmt: skip
threads = click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Number of CPU threads."
)
device = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda, cuda:1, ...; auto waits for a free GPU.",
)


def config_default(model: str, key: str) -> dict[str, Any]:
    """Arguments of an option that has the same default as a key of the config.

    model: "module:class" in mafnet/; it is imported only if the default is needed.
    """

    def default() -> object:
        module, _, name = model.partition(":")
        return getattr(import_module(f"mafnet.{module}"), name).model_fields[key].default

    return {"default": default, "show_default": "as in config.yaml"}


splits = click.option(
    "--split", "splits", type=(str, existing), multiple=True, required=True,
    help="Name of a split and its manifest (CSV). Give it once for each split.",
)  # fmt: skip
max_failed_fraction = click.option(
    "--max-failed-fraction", type=click.FloatRange(0, 1),
    **config_default("video.config:VideoSection", "max_failed_fraction"),
    help="Share of failed videos above which the command fails.",
)  # fmt: skip
classes = click.option("--classes", type=existing, help="Closed list of labels, one per line.")
find_weights = click.option(
    "--weights", type=folder,
    help="Folder that is searched first for the weights of the backbones; their sha256 decides.",
)  # fmt: skip
silent = click.option(
    "--silent", type=click.Choice(["zero", "drop", "fail"]),
    **config_default("video.config:VideoSection", "silent"),
    help="What to do with a video without audio.",
)  # fmt: skip
all_threads = click.option(
    "--threads", type=click.IntRange(1), help="Number of CPU threads.  [default: all]"
)


def print_text(text: str) -> None:
    """Print text for a program; names of files keep their bytes."""
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
