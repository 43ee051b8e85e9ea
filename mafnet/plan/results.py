"""What the rules of the stages model and report ask: runs, and the tables and figures of them."""

import json

from mafnet.common.errors import MafnetError, hint
from mafnet.common.files import canonical_json, digest_of
from mafnet.dataset.origin import records_events
from mafnet.model.networks import network_spec
from mafnet.plan.config import Sections, own_sections
from mafnet.plan.features import FeaturesAnswers
from mafnet.report.figures import main_figures
from mafnet.video.config import FRAME_SIZE


class ResultsAnswers(FeaturesAnswers):
    """The settings of runs, and which runs are shown together."""

    def run_gpu_percent(self, dataset: str) -> int:
        """The share of a GPU that a run takes, in percent."""
        return 100 // self._sections[dataset].model.runs_per_gpu

    def seeds(self, dataset: str) -> list[int]:
        """The seeds of the runs."""
        return self._sections[dataset].model.seeds

    def variants(self, dataset: str) -> list[str]:
        """The names of the variants."""
        return list(self._sections[dataset].model.variants)

    def main(self, dataset: str) -> str:
        """The main variant."""
        return self._sections[dataset].model.main

    def inputs(self, dataset: str, variant: str) -> tuple[str, ...]:
        """The features that a variant reads, by the name of their file."""
        own = self._sections[dataset].model.variants[variant]
        return network_spec(own.network).inputs(own.options)

    def training(self, dataset: str, variant: str) -> str:
        """The settings that a run depends on besides its data and seed."""
        model = self._sections[dataset].model
        settings = {
            "variant": variant,
            "network": model.variants[variant].network,
            "options": model.options_of(variant),
            "training": model.training_of(variant).recorded(),
        }
        return canonical_json(settings)

    def evaluation(self, dataset: str) -> str:
        """How a trained network is measured."""
        return canonical_json(self._sections[dataset].model.evaluation.recorded())

    def descriptions(self, dataset: str) -> list[str]:
        """The descriptions of the shown splits that were written with their manifests."""
        return self._origins[dataset].descriptions

    def studies(self, dataset: str) -> dict[str, list[str]]:
        """The variants of every study."""
        return self._sections[dataset].report.studies

    def main_figures(self, dataset: str) -> list[str]:
        """The figures of the main variant, by name."""
        model = self._sections[dataset].model
        own = model.variants[model.main]
        film = network_spec(own.network).has_film(own.options)
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
        entry = self._config["datasets"][dataset]
        own = {key: value for key, value in entry.items() if key not in Sections.model_fields}
        return json.dumps({"dataset": own} | self._written(dataset), ensure_ascii=False)

    def config_digest(self, dataset: str) -> str:
        """The digest of all settings that hold for a data set."""
        return digest_of([self._config["datasets"][dataset], self._written(dataset)])

    def _written(self, dataset: str) -> dict[str, dict]:
        """The stage sections as written, with the size of the frames.

        It was a key once, and the digest in metrics.json has it.
        """
        sections = own_sections(self._config, dataset)
        sections["video"]["frame_size"] = FRAME_SIZE
        return sections
