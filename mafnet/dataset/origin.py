"""Where a data set's videos and manifests come from, as its entry in the config says."""

from dataclasses import dataclass, field
from pathlib import Path

from mafnet.common.resources import resource
from mafnet.dataset.config import DEMO, DataSet, DemoData, OwnData, PublishedData
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.manifest import read_manifest
from mafnet.dataset.sources import SOURCES
from mafnet.dataset.sources.base import Protocol


@dataclass(frozen=True)
class Origin:
    """The answers for one data set.

    root: folder of the videos; the manifests' paths are relative to it.
    manifests: path of each split's manifest.
    shown: the splits whose mean metrics.json shows.
    classes: path of the closed list of classes, None where the manifest's labels are all.
    source: name in the registry of sources, or "demo"; empty where the manifests are the user's.
    protocol: name of the way to measure.
    archive: archive, or folder of archives, that the videos are unpacked from; else empty.
    download: True if the archives are fetched first.
    lists: folder or zip file of a published data set's lists.
    """

    root: str
    manifests: dict[str, str]
    shown: tuple[str, ...]
    classes: str | None = None
    source: str = ""
    protocol: str = "own"
    archive: str = ""
    download: bool = False
    lists: str = ""
    holdout: Holdout = field(default_factory=Holdout)

    @property
    def descriptions(self) -> list[str]:
        """What was written about the shown splits when their manifests were prepared."""
        if self.source not in SOURCES:
            return []
        return [self.manifests[split].removesuffix(".csv") + ".json" for split in self.shown]


def origin_of(dataset: str, entry: DataSet) -> Origin:
    """The origin of a data set from its entry in the config."""
    classes = entry.classes or None
    if isinstance(entry, OwnData):
        return Origin(entry.root, dict(entry.splits), tuple(entry.splits), classes)
    if isinstance(entry, DemoData):
        made = {"main": f"data/{dataset}/manifest.csv"}
        return Origin(f"data/{dataset}", made, ("main",), classes, DEMO, protocol=DEMO)
    return _published(dataset, entry)


def protocol_of(source: str, name: str) -> Protocol | None:
    """A published data set's protocol, None for the demo and the user's own data."""
    return SOURCES[source].protocols[name] if source in SOURCES else None


def records_events(origin: Origin) -> bool:
    """True if the data set says when its events happen; of users' manifests, one must."""
    if origin.source:
        return origin.source == DEMO or SOURCES[origin.source].events
    paths = [Path(path) for path in origin.manifests.values()]
    return any(sample.event for path in paths for sample in read_manifest(path))


def _published(dataset: str, entry: PublishedData) -> Origin:
    source = SOURCES[entry.source]
    name = entry.protocol or source.default
    protocol = source.protocols[name]
    unpacked = f"data/{dataset}/unpacked"
    archive = f"data/{dataset}/downloads" if entry.download else entry.archive
    root = unpacked if archive else entry.folder
    return Origin(
        root=root,
        manifests={split: f"data/{dataset}/{split}.csv" for split in source.splits_with(name)},
        shown=protocol.splits,
        classes=entry.classes or str(resource(f"classes/{protocol.classes}.txt")),
        source=source.name,
        protocol=name,
        archive=archive,
        download=entry.download,
        lists=entry.lists or root,
        holdout=entry.holdout,
    )
