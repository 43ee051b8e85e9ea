"""The origin of the videos and manifests of a data set, from its entry in the config."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from mafnet.common.resources import resource
from mafnet.dataset.config import DEMO, DataSet, DemoData, OwnData, PublishedData
from mafnet.dataset.holdout import Holdout
from mafnet.dataset.manifest import read_manifest
from mafnet.dataset.places import Place, find_place
from mafnet.dataset.sources import SOURCES
from mafnet.dataset.sources.base import Protocol, Source


@dataclass(frozen=True)
class Origin:
    """The origin of one data set.

    root: folder of the videos; the paths in the manifests are relative to it.
    manifests: path of each split's manifest.
    shown: the splits whose mean is in metrics.json.
    classes: path of the closed list of classes; None if the manifest's labels are the classes.
    source: name of a published source, or "demo"; empty for the user's own manifests.
    protocol: name of the evaluation protocol.
    archive: archive, or folder of archives, with the videos; empty if they are unpacked.
    download: True if the archives are downloaded first.
    lists: folder or zip file of a published data set's lists.
    missing: what to fetch and where to put it, if the files of a published data set are nowhere;
        else empty.
    untrained: True allows classes without training samples.
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
    missing: str = ""
    untrained: bool = False

    @property
    def descriptions(self) -> list[str]:
        """Paths of the descriptions that `prepare` writes for the shown splits."""
        if self.source not in SOURCES:
            return []
        return [self.manifests[split].removesuffix(".csv") + ".json" for split in self.shown]


def origin_of(dataset: str, entry: DataSet) -> Origin:
    """The origin of a data set from its entry in the config."""
    return replace(_origin(dataset, entry), untrained=entry.allow_untrained_classes)


def _origin(dataset: str, entry: DataSet) -> Origin:
    classes = entry.classes or None
    if isinstance(entry, OwnData):
        return Origin(entry.root, dict(entry.splits), tuple(entry.splits), classes)
    if isinstance(entry, DemoData):
        made = {"main": f"data/{dataset}/manifest.csv"}
        return Origin(f"data/{dataset}", made, ("main",), classes, DEMO, protocol=DEMO)
    return _published(dataset, entry)


def protocol_of(source: str, name: str) -> Protocol | None:
    """The protocol of a published data set; None for the demo and the user's own data."""
    return SOURCES[source].protocols[name] if source in SOURCES else None


def records_events(origin: Origin) -> bool:
    """True if the data set records the seconds of events; for own data, at least one sample."""
    if origin.source:
        return origin.source == DEMO or SOURCES[origin.source].events
    paths = [Path(path) for path in origin.manifests.values()]
    return any(sample.event for path in paths for sample in read_manifest(path))


def _published(dataset: str, entry: PublishedData) -> Origin:
    source = SOURCES[entry.source]
    name = entry.protocol or source.default
    protocol = source.protocols[name]
    unpacked = f"data/{dataset}/unpacked"
    place = _place(dataset, entry, source)
    root = unpacked if place.archive else place.folder
    return Origin(
        root=root,
        manifests={split: f"data/{dataset}/{split}.csv" for split in source.splits_with(name)},
        shown=protocol.splits,
        classes=entry.classes or _class_list(protocol),
        source=source.name,
        protocol=name,
        archive=place.archive,
        download=entry.download,
        lists=entry.lists or place.lists or root,
        holdout=entry.holdout,
        missing=place.missing,
    )


def _place(dataset: str, entry: PublishedData, source: Source) -> Place:
    """The archive or folder that the entry sets, else that in the conventional place."""
    if entry.download:
        return Place(archive=f"data/{dataset}/downloads")
    if entry.archive or entry.folder:
        return Place(entry.archive, entry.folder, missing=_wrong_path(dataset, entry, source))
    return find_place(dataset, source)


def _wrong_path(dataset: str, entry: PublishedData, source: Source) -> str:
    """One line if a path that the entry sets is nowhere; an unpacked archive may be deleted."""
    unpacked = Path("data", dataset, "unpacked.tsv").exists()
    keys = ("archive", "folder", "lists")[unpacked:]
    for key in keys:
        path = getattr(entry, key)
        if path and not (Path(path).is_dir() if key == "folder" else Path(path).exists()):
            what = "is not a folder" if key == "folder" else "does not exist"
            return (
                f"datasets.{dataset}.{key}: {path} {what}; fix the path, or fetch {source.fetch} "
                "(docs/datasets.md)"
            )
    return ""


def _class_list(protocol: Protocol) -> str | None:
    """The path of a protocol's class list; None if the labels in the manifests are the classes."""
    return str(resource(f"classes/{protocol.classes}.txt")) if protocol.classes else None
