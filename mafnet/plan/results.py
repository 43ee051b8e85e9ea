"""The plan of the stages model and report: runs, tables and figures."""

import json
from typing import Any

from mafnet.common import versions
from mafnet.common.config import without_neutral
from mafnet.common.errors import MafnetError, hint
from mafnet.common.files import canonical_json, digest_of, read_json
from mafnet.common.resources import SHARED
from mafnet.dataset.origin import records_events
from mafnet.dataset.sources import SOURCES
from mafnet.features.backbones import backbone_spec
from mafnet.model.networks import network_spec
from mafnet.model.video import PRETRAINED, VERSION, VIDEO_NETWORKS
from mafnet.plan.config import Sections, merged_sections
from mafnet.plan.features import FeaturesPlan
from mafnet.plan.names import needs_maps, without_maps
from mafnet.report.figures import main_figures

RUN_SCHEMA = SHARED / "workflow/schemas/run.schema.json"
"""Has the name of every metric; to import METRICS takes two seconds."""


class ResultsPlan(FeaturesPlan):
    """The settings of runs, and the runs of each study and figure."""

    def run_gpu_percent(self, dataset: str) -> int:
        """The share of a GPU that a run uses, in percent."""
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
        """The names of the feature files that a variant reads.

        MafnetError if it reads visual maps and the backbone has vectors only.
        """
        model = self._sections[dataset].model
        if variant in self._without_maps(dataset):
            raise MafnetError(needs_maps(variant, self._sections[dataset].features))
        if model.variants[variant].network in VIDEO_NETWORKS:
            return ()
        return network_spec(model.variants[variant].network).inputs(model.options_of(variant))

    def sounds(self, dataset: str) -> list[str]:
        """The audio features and the weights of their backbone, if that has classes of its own.

        Empty for random weights, and if the main variant reads no audio.
        """
        spec = backbone_spec(self._backbone(dataset, "audio").backbone)
        heard = "audio" in self.inputs(dataset, self.main(dataset))
        if not spec.classes or not heard or self.random(dataset, "audio"):
            return []
        return [f"results/{dataset}/features/audio.h5", self.weights(dataset, "audio")]

    def members(self, dataset: str, variant: str) -> list[str]:
        """The variants whose runs a run of this variant combines."""
        return self._sections[dataset].model.members_of(variant)

    def training(self, dataset: str, variant: str) -> str:
        """The settings that a run depends on, apart from its data and seed."""
        model = self._sections[dataset].model
        settings = {
            "variant": variant,
            "network": model.variants[variant].network,
            "options": model.options_of(variant),
            "training": self._training(dataset, variant),
        }
        classes = self.classes_of_splits(dataset)
        return canonical_json(settings | ({"classes": classes} if classes else {}))

    def training_version(self, dataset: str, variant: str) -> int | str:
        """The version of the training of a variant's network."""
        chosen = self._sections[dataset].model.variants[variant]
        return network_spec(chosen.network).training_version

    def _training(self, dataset: str, variant: str) -> dict[str, Any]:
        """The recorded training of a variant.

        Numbers of published data sets are compared with published numbers, so they do not depend
        on the machine unless the config says it.
        """
        training = self._sections[dataset].model.training_of(variant).recorded()
        if training["precision"] == "auto" and self._origins[dataset].source in SOURCES:
            training["precision"] = "float32"
        return training

    @property
    def video_variants(self) -> list[str]:
        """The names of the variants that are video networks, of all data sets."""
        return sorted(
            {name for dataset in self._sections for name in self._video_variants(dataset)}
        )

    def pretrained_weights(self, dataset: str, variant: str) -> list[str]:
        """The file of published weights that a video network starts from; empty if random."""
        sections = self._sections[dataset]
        network = sections.model.variants[variant].network
        if sections.model.options_of(variant)["weights"] == "random":
            return []
        return [f"{sections.features.weights_folder}/networks/{network}-{PRETRAINED}.safetensors"]

    def finetuning_gpus(self, dataset: str) -> int:
        """The number of GPUs, and of processes, of a fine-tuning."""
        return self._sections[dataset].model.finetuning_gpus

    def finetuning(self, dataset: str, variant: str) -> str:
        """The settings that a run of a video network depends on, apart from its data and seed."""
        video = self._sections[dataset].video
        limits = {"clips": video.clips, "video": video.decoding("audio")}
        return canonical_json(json.loads(self.training(dataset, variant)) | limits)

    def video_evaluation(self, dataset: str) -> str:
        """The settings of the evaluation of a video network."""
        sections = self._sections[dataset]
        evaluation = sections.model.evaluation.recorded()
        return canonical_json({"evaluation": evaluation, "video": sections.video.decoding("audio")})

    def _video_variants(self, dataset: str) -> list[str]:
        variants = self._sections[dataset].model.variants.items()
        return [name for name, settings in variants if settings.network in VIDEO_NETWORKS]

    def _without_maps(self, dataset: str) -> list[str]:
        sections = self._sections[dataset]
        return without_maps(sections.features, sections.model)

    def evaluation(self, dataset: str) -> str:
        """The settings of the evaluation of a trained network."""
        return canonical_json(self._sections[dataset].model.evaluation.recorded())

    def evaluation_version(self) -> int | str:
        """The version of an evaluation, with the keys of metrics.json that came or went since."""
        return _with_changed_keys(versions.EVALUATE)

    def video_evaluation_version(self) -> int | str:
        """The same for the evaluation of a video network."""
        return _with_changed_keys(VERSION)

    def descriptions(self, dataset: str) -> list[str]:
        """The description files of the shown splits, which are written with the manifests."""
        return self._origins[dataset].descriptions

    def studies(self, dataset: str) -> dict[str, list[str]]:
        """The variants of every study, without video networks unless the config asks for them.

        And without variants that read visual maps, if the backbone has vectors only.
        """
        studies = self._sections[dataset].report.studies
        video = self._sections[dataset].model.video_networks
        left_out = self._without_maps(dataset) + ([] if video else self._video_variants(dataset))
        if not left_out:
            return studies
        kept = {
            study: [name for name in names if name not in left_out]
            for study, names in studies.items()
        }
        return {study: names for study, names in kept.items() if names}

    def main_figures(self, dataset: str) -> list[str]:
        """The figures of the main variant, by name."""
        model = self._sections[dataset].model
        main = model.variants[model.main]
        film = network_spec(main.network).has_film(main.options)
        return main_figures(film, records_events(self._origins[dataset]))

    def study(self, dataset: str, study: str) -> list[str]:
        """The variants of a study; MafnetError if the study is not in the config."""
        studies = self.studies(dataset)
        if study not in studies:
            raise MafnetError(
                f"study {study!r} is not in report.studies of {dataset}; {hint(study, studies)}"
            )
        return studies[study]

    def shown_settings(self, dataset: str) -> str:
        """The settings of a data set as JSON, its entry in `datasets` first."""
        entry = self._entry(dataset)
        about = {key: value for key, value in entry.items() if key not in Sections.model_fields}
        return json.dumps({"dataset": about} | self._as_written(dataset), ensure_ascii=False)

    def config_digest(self, dataset: str) -> str:
        """The digest of the settings of a data set."""
        return digest_of([self._entry(dataset), self._as_written(dataset)])

    def _entry(self, dataset: str) -> dict[str, Any]:
        """The entry of a data set as the user wrote it, without neutral keys."""
        return without_neutral(type(self._entries[dataset]), self._config["datasets"][dataset])

    def _as_written(self, dataset: str) -> dict[str, dict]:
        """The sections of the stages as the user wrote them, with the frame size.

        A key that is later than version 0.1 and has its default is left out.

        The frame size was a key of earlier versions. It stays in the digest in metrics.json, so
        that finished results keep their digest.
        """
        sections = without_neutral(Sections, merged_sections(self._config, dataset))
        visual = self._backbone(dataset, "visual")
        sections["video"]["frame_size"] = backbone_spec(visual.backbone).side
        return sections


def _with_changed_keys(version: int) -> int | str:
    changed = sorted(versions.EVALUATED ^ set(read_json(RUN_SCHEMA)["required"]))
    return " ".join([str(version), *changed]) if changed else version
