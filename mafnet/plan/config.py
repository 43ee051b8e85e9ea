"""The config as a whole: read, checked, and merged for each data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

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
from mafnet.model.config import ModelSection
from mafnet.plan.names import unknown_names
from mafnet.report.config import ReportSection
from mafnet.video.config import VideoSection

REPLACED = {
    "video.frame_size": "is no key any more, because frames are always 224 pixels wide and high; "
    "delete it",
    "video.max_error_lines": "is no key any more, because lines of errors are only a warning; "
    "delete it and set video.max_lost_fraction, which counts lost and corrupt frames",
}
"""Keys of earlier versions -> what to do. A key that was renamed: "is now called ..."."""


class Sections(Settings):
    """The sections of the stages that follow the data sets."""

    video: VideoSection = Field(VideoSection(), description="How videos are decoded and used.")
    features: FeaturesSection = Field(
        FeaturesSection(), description="The frozen backbones and the cache of their outputs."
    )
    model: ModelSection = Field(ModelSection(), description="Networks, training and evaluation.")
    report: ReportSection = Field(ReportSection(), description="The variants that are compared.")


class OwnEntry(OwnData, Sections):
    """Your own videos and manifests, and the settings that hold for them alone."""


class DemoEntry(DemoData, Sections):
    """Videos that mafnet draws, and the settings that hold for them alone."""


class PublishedEntry(PublishedData, Sections):
    """A published data set, and the settings that hold for it alone."""


OWN, DRAWN, PUBLISHED = "a data set without `source`", "`source: demo`", "this `source`"
"""The kinds of data sets, as messages name them."""


def _kind_of(entry: object) -> str:
    source = entry.get("source") if isinstance(entry, Mapping) else None
    return OWN if source is None else DRAWN if source == DEMO else PUBLISHED


Entry = Annotated[
    Annotated[OwnEntry, Tag(OWN)]
    | Annotated[DemoEntry, Tag(DRAWN)]
    | Annotated[PublishedEntry, Tag(PUBLISHED)],
    Discriminator(_kind_of),
]


class Config(Sections):
    """Settings of mafnet. Closed: a key with a spelling mistake is an error, never ignored."""

    datasets: dict[Name, Entry] = Field(
        min_length=1,
        description="The data sets, by name; the name is the folder below results/. An entry may "
        "have sections `video`, `features`, `model` and `report` that hold for it alone.",
    )


def check_config(config: Mapping) -> Config:
    """The config as a model; MafnetError has a line for every wrong key and every unknown name."""
    try:
        checked = Config.model_validate(config)
    except ValidationError as error:
        raise _refused(faults(error, Config, REPLACED)) from error
    of_all = [
        fault
        for name, entry in checked.datasets.items()
        for fault in _of_dataset(config, name, entry)
    ]
    if of_all:
        raise _refused(dict.fromkeys(of_all))
    return checked


def _of_dataset(config: Mapping, dataset: str, entry: DataSet) -> list[str]:
    """Faults of a data set's settings that appear only after merging with the common ones."""
    own = dataset_sections(config, dataset)
    unknown = unknown_names(own.features, own.model, own.report, resource("weights.tsv"))
    try:
        DemoSettings.model_validate(demo_values(entry, own.video.clips))
    except ValidationError as error:
        return unknown + [f"datasets.{dataset}: {fault}" for fault in faults(error, DemoSettings)]
    return unknown


def _refused(lines: Sequence[str] | Mapping[str, Any]) -> MafnetError:
    return MafnetError("\n".join(["config: fix these keys:", *(f"  {line}" for line in lines)]))


def read_config(files: Sequence[Path]) -> dict:
    """The settings that the workflow would have: config.yaml with files laid over it, checked.

    config.yaml is that of the current folder, or else the one that comes with mafnet.
    """
    own = Path("config.yaml")
    config: dict = {}
    for path in (own if own.exists() else SHARED / "config.yaml", *files):
        config = merged(config, _loaded(path))
    check_config(config)
    return config


def _loaded(path: Path) -> dict:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise MafnetError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(found, dict):
        raise MafnetError(f"{path}: is not a mapping of settings")
    return found


def own_sections(config: Mapping, dataset: str) -> dict:
    """The stage sections of a data set as written: the common ones with its own laid over them."""
    own = config["datasets"][dataset]
    return {
        section: merged(config.get(section, {}), own.get(section, {}))
        for section in Sections.model_fields
    }


def dataset_sections(config: Mapping, dataset: str) -> Sections:
    """The same as models."""
    return Sections.model_validate(own_sections(config, dataset))


def merged(base: Mapping, over: Mapping) -> dict:
    """`base` with the keys of `over` laid over it, mapping by mapping."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = merged(inner, value) if both else value
    return result
