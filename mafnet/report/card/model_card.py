"""A model card as the Hugging Face hub reads it: README.md with YAML at its top.

The format is that of https://huggingface.co/docs/hub/model-cards.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from mafnet.common.files import read_json, replacing
from mafnet.common.terminal import printable
from mafnet.dataset.config import DEMO
from mafnet.features.fingerprint import MODALITIES
from mafnet.model.export.agreement import specs_of
from mafnet.model.export.contents import Contents
from mafnet.model.export.graphs import SOURCES
from mafnet.model.metrics import METRICS
from mafnet.report.statistics.runs import Run
from mafnet.report.statistics.summary import (
    describe_weights,
    metric_summaries,
    per_class,
    random_weights,
)

HUB_NAMES = {"accuracy": "accuracy", "macro_f1": "f1"}
"""Metrics that the hub knows; the others have their names here."""

MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~])")
"""Characters with a meaning in Markdown."""


@dataclass(frozen=True)
class Card:
    """What a card says. dataset, protocol: of metrics.json of the data set; {} without the file.

    licence: an identifier of the hub. differences: from torch, by output of the graph.
    """

    run: Run
    contents: Contents
    differences: Mapping[str, float]
    name: str
    protocol: Mapping
    notes: list[str]
    licence: str

    @property
    def synthetic(self) -> bool:
        """True for the demo's videos, which mafnet draws."""
        return self.protocol.get("name") == DEMO

    @property
    def random(self) -> list[str]:
        """The modalities whose frozen networks have random weights."""
        return random_weights([self.run])

    @property
    def title(self) -> str:
        """The name of the model."""
        return f"{self.name}-{self.run.variant}"


def make_card(run: Run, contents: Contents, differences: Mapping[str, float], licence: str) -> Card:
    """The card of a run at results/{dataset}/{split}/{variant}/seed{seed}."""
    results = run.folder.path.resolve().parents[2]
    path = results / run.folder.metrics.name  # the file of the data set has the same name
    found = read_json(path) if path.is_file() else {}
    return Card(
        run, contents, differences, results.name, found.get("protocol", {}),
        found.get("notes", []), licence,
    )  # fmt: skip


def write_card(card: Card, path: Path) -> None:
    """Write README.md."""
    with replacing(path) as beside:
        beside.write_text(render(card), encoding="utf-8")


def render(card: Card) -> str:
    """The text of a card. Names and labels stay text; they are neither Markdown nor HTML."""
    environment = Environment(
        loader=PackageLoader("mafnet.report.card", ""), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, autoescape=False,
    )  # fmt: skip
    environment.filters["plain"] = plain
    found = {name: each for name, each in metric_summaries([card.run]).items() if each}
    settings = card.run.settings
    header = yaml.safe_dump(front_matter(card, found), sort_keys=False, allow_unicode=True)
    specs = specs_of(settings)
    return environment.get_template("model_card.md.j2").render(
        card=card, header=header, settings=settings, measured=card.run.metrics, metrics=found,
        specs=METRICS, classes=per_class([card.run]), weights=describe_weights([card.run]),
        whole=card.contents.part == "whole",
        sources={SOURCES[name]: spec for name, spec in specs.items()},
    )  # fmt: skip


def front_matter(card: Card, found: Mapping[str, Mapping]) -> dict:
    """The YAML of a card. found: the summaries of the metrics, by name."""
    run = card.run
    marks = ["random-weights"] * bool(card.random) + ["synthetic-data"] * card.synthetic
    metrics = [
        {
            "type": HUB_NAMES.get(name, name),
            "name": f"{METRICS[name].named(run.metrics['top_k'])} ({METRICS[name].unit.symbol})",
            "value": each["mean"],
        }
        for name, each in found.items()
    ]
    modalities = [name for name in MODALITIES if name in run.settings.features]
    return {
        "license": card.licence,
        "library_name": "mafnet",
        "pipeline_tag": "video-classification",
        "tags": ["mafnet", "onnx", "video-classification", *modalities, *marks],
        "datasets": [printable(card.name)],
        "metrics": list(dict.fromkeys(each["type"] for each in metrics)),
        "model-index": [{
            "name": printable(card.title),
            "results": [{
                "task": {"type": "video-classification", "name": "Video classification"},
                "dataset": {
                    "name": printable(card.name), "type": printable(card.name), "split": "test",
                },
                "metrics": metrics,
            }],
        }],
    }  # fmt: skip


def plain(text: object) -> str:
    """Text that Markdown and HTML show as it is, on one line."""
    line = " ".join(printable(str(text)).split())
    return MARKS.sub(r"\\\1", html.escape(line))
