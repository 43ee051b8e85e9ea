"""What the rules of the stages model and report ask at parse time."""

import json
from collections.abc import Mapping

from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json, digest_of
from mafnet.dataset.origin import origin_of, records_events
from mafnet.model.networks import network_spec
from mafnet.plan.config import STAGE_SECTIONS, dataset_config, merged
from mafnet.plan.names import hint
from mafnet.report.figures import main_figures


class ResultsPlan:
    """Answers on runs and on what they say together; settings are JSON texts."""

    def __init__(self, config: Mapping) -> None:
        self.datasets = list(config["datasets"])
        self._entries = config["datasets"]
        self._sections = {name: dataset_config(config, name) for name in self.datasets}
        self._origins = {name: origin_of(name, self._entries[name]) for name in self.datasets}

    # model

    def seeds(self, dataset: str) -> list[int]:
        """The seeds of the runs."""
        return self._sections[dataset]["model"]["seeds"]

    def variants(self, dataset: str) -> list[str]:
        """The names of the variants."""
        return list(self._sections[dataset]["model"]["variants"])

    def main(self, dataset: str) -> str:
        """The main variant."""
        return self._sections[dataset]["model"]["main"]

    def inputs(self, dataset: str, variant: str) -> tuple[str, ...]:
        """The features that a variant reads, by the name of their file."""
        own = self._sections[dataset]["model"]["variants"][variant]
        return network_spec(own["network"]).inputs(own.get("options", {}))

    def training(self, dataset: str, variant: str) -> str:
        """What a run depends on besides its data and seed."""
        model = self._sections[dataset]["model"]
        own = model["variants"][variant]
        settings = {
            "variant": variant,
            "network": own["network"],
            "options": network_spec(own["network"]).resolved(
                model["network"], own.get("options", {})
            ),
            "training": merged(model["training"], own.get("training", {})),
        }
        return canonical_json(settings)

    def evaluation(self, dataset: str) -> str:
        """How a trained network is measured."""
        return canonical_json(self._sections[dataset]["model"]["evaluation"])

    def classes(self, dataset: str) -> list[str]:
        """The file of class names, if the data set has one; as a list, for a rule's input."""
        own = self._origins[dataset].classes
        return [own] if own else []

    # report

    def protocol(self, dataset: str) -> str:
        """The name of the way to measure that metrics.json shows."""
        return self._origins[dataset].protocol

    def descriptions(self, dataset: str) -> list[str]:
        """What was written about the shown splits when their manifests were prepared."""
        return self._origins[dataset].descriptions

    def studies(self, dataset: str) -> dict[str, list[str]]:
        """The variants of every study."""
        return self._sections[dataset]["report"]["studies"]

    def main_figures(self, dataset: str) -> list[str]:
        """The figures of the main variant, by name."""
        model = self._sections[dataset]["model"]
        own = model["variants"][model["main"]]
        film = network_spec(own["network"]).has_film(own.get("options", {}))
        return main_figures(film, records_events(self._origins[dataset]))

    def study(self, dataset: str, study: str) -> list[str]:
        """The variants of a study; MafnetError if the config has none of that name."""
        studies = self.studies(dataset)
        if study not in studies:
            raise MafnetError(
                f"study {study!r} is not in report.studies of {dataset}; {hint(study, studies)}"
            )
        return studies[study]

    def shown_settings(self, dataset: str) -> str:
        """All settings that hold for a data set, its entry first."""
        own = {k: v for k, v in self._entries[dataset].items() if k not in STAGE_SECTIONS}
        return json.dumps({"dataset": own} | self._sections[dataset], ensure_ascii=False)

    def config_digest(self, dataset: str) -> str:
        """The digest of all settings that hold for a data set."""
        return digest_of([self._entries[dataset], self._sections[dataset]])
