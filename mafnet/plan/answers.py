"""What all questions of the rules start from: the settings of each data set."""

from collections.abc import Mapping

from mafnet.dataset.origin import origin_of
from mafnet.plan.config import check_config, dataset_sections


class Answers:
    """The settings of each data set. The classes of the stages answer questions on them.

    datasets: names of the data sets.
    looked_up: for each data set, the values that rules take as they are. It is small, because
        Snakemake's `lookup` searches all of it each time.
    """

    def __init__(self, config: Mapping) -> None:
        self._config = config
        self._entries = check_config(config).datasets
        self.datasets = list(self._entries)
        self._sections = {name: dataset_sections(config, name) for name in self.datasets}
        self._origins = {name: origin_of(name, entry) for name, entry in self._entries.items()}
        self.looked_up = {name: self._looked_up(name) for name in self.datasets}

    def _looked_up(self, dataset: str) -> dict[str, str | float]:
        origin, sections = self._origins[dataset], self._sections[dataset]
        return {
            "root": origin.root,
            "source": origin.source,
            "archive": origin.archive,
            "lists": origin.lists,
            "protocol": origin.protocol,
            "max_failed_fraction": sections.video.max_failed_fraction,
            "cache": sections.features.cache,
            "main": sections.model.main,
        }
