"""The plan of the stage dataset: settings, manifests, archives and lists of each data set."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json
from mafnet.dataset.collect import archives_of
from mafnet.dataset.config import DEMO, demo_values
from mafnet.dataset.lists import list_files
from mafnet.dataset.manifest import read_manifest
from mafnet.dataset.names import look_alikes, spelling
from mafnet.dataset.origin import origin_of
from mafnet.dataset.sources import SOURCES
from mafnet.plan.config import check_config, dataset_sections


class DatasetPlan:
    """Where the manifests and videos of each data set come from.

    datasets: names of the data sets.
    lookup_values: for each data set, the values that rules read with Snakemake's `lookup`. The
        table is small, because `lookup` searches all of it each time.
    """

    def __init__(self, config: Mapping) -> None:
        self._config = config
        self._entries = check_config(config).datasets
        self.datasets = list(self._entries)
        self._sections = {name: dataset_sections(config, name) for name in self.datasets}
        self._origins = {name: origin_of(name, entry) for name, entry in self._entries.items()}
        self.lookup_values = {name: self._lookup_values(name) for name in self.datasets}
        self._classes = cache(self._read_classes)

    def _lookup_values(self, dataset: str) -> dict[str, str | float]:
        origin, sections = self._origins[dataset], self._sections[dataset]
        return {
            "root": origin.root,
            "source": origin.source,
            "archive": origin.archive,
            "lists": origin.lists,
            "protocol": origin.protocol,
            "silent": sections.video.silent,
            "max_failed_fraction": sections.video.max_failed_fraction,
            "cache": sections.features.cache,
            "main": sections.model.main,
        }

    def not_configured(self, dataset: str) -> str:
        """The error message for a data set that is not in the config."""
        known = ", ".join(sorted(self.datasets))
        return (
            f"{dataset!r} is not a data set of the config, which has {known}; add it to "
            "`datasets` (README.md has an example), or pass your config file with --configfile"
        )

    @property
    def plain(self) -> list[str]:
        """The data sets of targets that name none: those whose files are here.

        Generated data sets are made only by name, or if there is nothing else.
        """
        here = [name for name in self.datasets if not self._origins[name].missing]
        return [name for name in here if name not in self.demos] or here

    @property
    def without_files(self) -> list[str]:
        """The published data sets whose files are not found."""
        return [name for name in self.datasets if self._origins[name].missing]

    @property
    def demos(self) -> list[str]:
        """The data sets that the checkpoint `demo` generates."""
        return [name for name in self.datasets if self._origins[name].source == DEMO]

    @property
    def published(self) -> list[str]:
        """The data sets whose manifests the checkpoint `prepare` writes."""
        return [name for name in self.datasets if self._origins[name].source in SOURCES]

    def splits(self, dataset: str) -> list[str]:
        """The splits over which metrics.json computes the mean."""
        return list(self._origins[dataset].shown)

    def all_splits(self, dataset: str) -> list[str]:
        """All splits that can have runs; they share the features."""
        return list(self._origins[dataset].manifests)

    def manifest(self, dataset: str, split: str) -> str:
        """The manifest of a split."""
        return self._origins[dataset].manifests[split]

    def manifests(self, dataset: str) -> list[str]:
        """The manifests of all splits."""
        return list(self._origins[dataset].manifests.values())

    def classes(self, dataset: str) -> list[str]:
        """The file of class names as a list for a rule's input; empty if there is none."""
        classes = self._origins[dataset].classes
        return [classes] if classes else []

    def classes_of_splits(self, dataset: str) -> list[str]:
        """The labels of all splits, sorted, if the splits have different ones; else empty."""
        return self._classes(dataset)

    def _read_classes(self, dataset: str) -> list[str]:
        """See `classes_of_splits`.

        All runs then have the same classes, so that their results can be combined. MafnetError if
        two labels look the same.
        """
        origin = self._origins[dataset]
        if origin.classes or len(origin.manifests) < 2 or self._needs_manifests(dataset):
            return []
        splits = [
            {sample.label for sample in read_manifest(Path(path))}
            for path in origin.manifests.values()
        ]
        labels = sorted(set.union(*splits))
        for name, earlier in look_alikes(labels).items():
            raise MafnetError(
                f"datasets.{dataset}: the labels {spelling(name)} and {spelling(earlier)} of "
                "different splits look the same; use one spelling"
            )
        return labels if any(len(own) < len(labels) for own in splits) else []

    def archives(self, dataset: str) -> list[str]:
        """The files from which a published data set's videos are unpacked.

        MafnetError says what to fetch if they are not found.
        """
        origin = self._origins[dataset]
        if origin.missing:
            raise MafnetError(origin.missing)
        if origin.download:
            return [f"data/{dataset}/downloads.tsv"]
        return [str(path) for path in archives_of(Path(origin.archive))]

    def unpacked(self, dataset: str) -> list[str]:
        """The table of unpacked files if the videos come from archives, else an empty list."""
        return [f"data/{dataset}/unpacked.tsv"] if self._origins[dataset].archive else []

    def own_lists(self, dataset: str) -> list[str]:
        """A published data set's folder or file of lists, if it is not the folder of videos."""
        origin = self._origins[dataset]
        return [origin.lists] if origin.lists != origin.root else []

    def list_files(self, dataset: str) -> list[str]:
        """The list files of a published data set; empty if they are unpacked from an archive."""
        origin = self._origins[dataset]
        if origin.archive and origin.lists == origin.root:
            return []
        if origin.missing:
            raise MafnetError(origin.missing)
        return [str(path) for path in list_files(SOURCES[origin.source], Path(origin.lists))]

    def holdout(self, dataset: str) -> str:
        """How validation samples are selected from the training lists."""
        return canonical_json(self._origins[dataset].holdout.recorded())

    def demo_settings(self, dataset: str) -> str:
        """The settings that the demo's videos depend on: its own settings and the video length."""
        clips = self._sections[dataset].video.clips
        return canonical_json(demo_values(self._entries[dataset], clips))

    def _needs_manifests(self, dataset: str) -> bool:
        """True if a rule writes the data set's manifests and has not run yet."""
        by_rule = bool(self._origins[dataset].source)
        return by_rule and not all(map(os.path.exists, self.manifests(dataset)))
