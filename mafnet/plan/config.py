"""Reads and checks the whole config, and merges the settings of each data set."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Discriminator, Field, Tag, ValidationError

from mafnet.common.config import Name, Settings
from mafnet.common.config_errors import faults
from mafnet.common.errors import MafnetError
from mafnet.common.resources import SHARED, resource
from mafnet.dataset.config import (
    DEMO,
    DataSet,
    DemoData,
    DemoSettings,
    OwnData,
    PublishedData,
    demo_values,
)
from mafnet.features.config import FeaturesSection
from mafnet.features.defaults import resolved
from mafnet.model.config import ModelSection
from mafnet.plan.names import unknown_names
from mafnet.report.config import ReportSection
from mafnet.video.config import VideoSection

REPLACED = {
    "video.frame_size": "was removed, because frames are always 224 x 224 pixels; delete the key",
    "video.max_error_lines": "was removed, because messages of the decoder are only a warning; "
    "delete the key and set video.max_lost_fraction, the limit of lost and corrupt frames",
}
"""Key of an earlier version -> the message for it. For a renamed key: "is now called ..."."""


class Sections(Settings):
    """The config's sections for the stages after `dataset`."""

    video: VideoSection = Field(VideoSection(), description="How videos are decoded and used.")
    features: FeaturesSection = Field(
        FeaturesSection(), description="The frozen backbones and the cache of their outputs."
    )
    model: ModelSection = Field(ModelSection(), description="Networks, training and evaluation.")
    report: ReportSection = Field(ReportSection(), description="The variants that are compared.")


class OwnEntry(OwnData, Sections):
    """Your own videos and manifests, and settings for this data set only."""


class DemoEntry(DemoData, Sections):
    """Videos that mafnet generates, and settings for this data set only."""


class PublishedEntry(PublishedData, Sections):
    """A published data set, and settings for this data set only."""


OWN, GENERATED, PUBLISHED = "a data set without `source`", "`source: demo`", "this `source`"
"""The kinds of data sets, as they are named in messages."""


def _kind_of(entry: object) -> str:
    source = entry.get("source") if isinstance(entry, Mapping) else None
    return OWN if source is None else GENERATED if source == DEMO else PUBLISHED


Entry = Annotated[
    Annotated[OwnEntry, Tag(OWN)]
    | Annotated[DemoEntry, Tag(GENERATED)]
    | Annotated[PublishedEntry, Tag(PUBLISHED)],
    Discriminator(_kind_of),
]


class Config(Sections):
    """Settings of mafnet. An unknown key, for example a misspelled one, is an error."""

    datasets: dict[Name, Entry] = Field(
        min_length=1,
        description="The data sets, by name. The name is also the name of the folder in results/. "
        "An entry may contain the sections `video`, `features`, `model` and `report`; their values "
        "override the common sections for this data set.",
    )


def check_config(config: Mapping) -> Config:
    """Validate the config; MafnetError has one line for each wrong key and each unknown name."""
    try:
        checked = Config.model_validate(config)
    except ValidationError as error:
        raise _error(faults(error, Config, REPLACED)) from error
    messages = [
        message
        for name, entry in checked.datasets.items()
        for message in _faults_after_merging(config, name, entry)
    ]
    if messages:
        # A wrong name in a common section is found once for each data set.
        raise _error(dict.fromkeys(messages))
    return checked


def _faults_after_merging(config: Mapping, dataset: str, entry: DataSet) -> list[str]:
    """Messages for faults that are found only in a data set's merged settings."""
    merged = dataset_sections(config, dataset)
    unknown = unknown_names(merged.features, merged.model, merged.report, resource("weights.tsv"))
    try:
        DemoSettings.model_validate(demo_values(entry, merged.video.clips))
    except ValidationError as error:
        return unknown + [f"datasets.{dataset}: {fault}" for fault in faults(error, DemoSettings)]
    return unknown


def _error(lines: Iterable[str]) -> MafnetError:
    return MafnetError("\n".join(["config: fix these keys:", *(f"  {line}" for line in lines)]))


def _on_one_line(error: Exception) -> str:
    """The text of an error without its picture of the place; YAML's have several lines."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and line != "^")


def read_config(files: Sequence[Path]) -> dict:
    """The checked settings that the workflow would use: config.yaml, then `files` in order.

    config.yaml is read from the current folder. If there is none, mafnet's own file is used.
    """
    local = Path("config.yaml")
    config: dict = {}
    for path in (local if local.exists() else SHARED / "config.yaml", *files):
        config = merge(config, _load(path))
    check_config(config)
    return config


def _load(path: Path) -> dict:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise MafnetError(f"{path}: cannot be read as YAML ({_on_one_line(error)})") from error
    if not isinstance(settings, dict):
        raise MafnetError(f"{path}: must contain a mapping of settings, such as `video: {{...}}`")
    return settings


def merged_sections(config: Mapping, dataset: str) -> dict:
    """The stage sections for a data set, as written: its own values override the common ones.

    The networks are named where the config says `auto`.
    """
    entry = config["datasets"][dataset]
    merged = {
        section: merge(config.get(section, {}), entry.get(section, {}))
        for section in Sections.model_fields
    }
    return merged | {"features": resolved(merged["features"], own=_kind_of(entry) == OWN)}


def dataset_sections(config: Mapping, dataset: str) -> Sections:
    """The stage sections for a data set, as models."""
    return Sections.model_validate(merged_sections(config, dataset))


def merge(base: Mapping, override: Mapping) -> dict:
    """`base` with the values of `override`; nested mappings are merged, not replaced."""
    result = dict(base)
    for key, value in override.items():
        inner = result.get(key)
        nested = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = merge(inner, value) if nested else value
    return result
