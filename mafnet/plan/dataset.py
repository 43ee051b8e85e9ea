"""What the rules of the stage dataset ask: manifests, archives, lists."""

import os
from pathlib import Path

from mafnet.common.files import canonical_json
from mafnet.dataset.collect import archives_of
from mafnet.dataset.config import DEMO, demo_values
from mafnet.dataset.lists import list_files
from mafnet.dataset.sources import SOURCES
from mafnet.plan.answers import Answers


class DatasetAnswers(Answers):
    """Where the manifests and videos come from."""

    def not_configured(self, dataset: str) -> str:
        """What to do about a data set that the config lacks."""
        known = ", ".join(sorted(self.datasets))
        return (
            f"{dataset!r} is not a data set of the config, which has {known}; give it an entry in "
            "`datasets` (config.yaml has one of each kind to uncomment), or name your file of "
            "settings with --configfile"
        )

    @property
    def demos(self) -> list[str]:
        """The data sets that the checkpoint `demo` makes."""
        return [name for name in self.datasets if self._origins[name].source == DEMO]

    @property
    def published(self) -> list[str]:
        """The data sets whose manifests the checkpoint `prepare` makes."""
        return [name for name in self.datasets if self._origins[name].source in SOURCES]

    def splits(self, dataset: str) -> list[str]:
        """The splits whose mean metrics.json shows."""
        return list(self._origins[dataset].shown)

    def all_splits(self, dataset: str) -> list[str]:
        """The splits that can have runs; all share the features."""
        return list(self._origins[dataset].manifests)

    def manifest(self, dataset: str, split: str) -> str:
        """The manifest of a split."""
        return self._origins[dataset].manifests[split]

    def manifests(self, dataset: str) -> list[str]:
        """The manifests of all splits."""
        return list(self._origins[dataset].manifests.values())

    def classes(self, dataset: str) -> list[str]:
        """The file of class names, if the data set has one; as a list, for a rule's input."""
        own = self._origins[dataset].classes
        return [own] if own else []

    def archives(self, dataset: str) -> list[str]:
        """The files that a published data set's videos are unpacked from."""
        origin = self._origins[dataset]
        if origin.download:
            return [f"data/{dataset}/downloads.tsv"]
        return [str(path) for path in archives_of(Path(origin.archive))]

    def unpacked(self, dataset: str) -> list[str]:
        """The table of unpacked files if the videos come from archives, else nothing."""
        return [f"data/{dataset}/unpacked.tsv"] if self._origins[dataset].archive else []

    def own_lists(self, dataset: str) -> list[str]:
        """The folder or file of a published data set's lists, if they are not with the videos."""
        origin = self._origins[dataset]
        return [origin.lists] if origin.lists != origin.root else []

    def list_files(self, dataset: str) -> list[str]:
        """The files that a published data set's lists are read from, without unpacked ones."""
        origin = self._origins[dataset]
        if origin.archive and origin.lists == origin.root:
            return []
        return [str(path) for path in list_files(SOURCES[origin.source], Path(origin.lists))]

    def holdout(self, dataset: str) -> str:
        """How validation samples are held out of training lists."""
        return canonical_json(self._origins[dataset].holdout.recorded())

    def demo_settings(self, dataset: str) -> str:
        """The settings that the demo's videos depend on: those of its entry, and their length."""
        clips = self._sections[dataset].video.clips
        return canonical_json(demo_values(self._entries[dataset], clips))

    def _awaited(self, dataset: str) -> bool:
        """True if the rule that makes the data set's manifests has not run yet."""
        made = bool(self._origins[dataset].source)
        return made and not all(map(os.path.exists, self.manifests(dataset)))
