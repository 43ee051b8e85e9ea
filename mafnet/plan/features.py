"""The plan of the stage features: weights, and the settings that features depend on."""

from pathlib import Path

from mafnet.common.files import canonical_json
from mafnet.dataset.manifest import calibration_videos
from mafnet.features.backbones import backbone_spec
from mafnet.features.config import FeatureSettings
from mafnet.features.fingerprint import fingerprint_of
from mafnet.plan.video import VideoPlan
from mafnet.video.config import VideoSettings


class FeaturesPlan(VideoPlan):
    """The weights files, and the settings of calibration and extraction."""

    @property
    def weights_folders(self) -> list[str]:
        """The folders of published weights."""
        return sorted({sections.features.weights_folder for sections in self._sections.values()})

    def random(self, dataset: str, modality: str) -> bool:
        """True if a modality's backbone has random weights."""
        return self._backbone(dataset, modality).weights == "random"

    def weights(self, dataset: str, modality: str) -> str:
        """The weights file of a modality's backbone."""
        if self.random(dataset, modality):
            return f"results/{dataset}/weights/{modality}.safetensors"
        folder = self._sections[dataset].features.weights_folder
        chosen = self._backbone(dataset, modality)
        return f"{folder}/{chosen.backbone}-{chosen.weights}.safetensors"

    def calibration_inputs(self, dataset: str) -> list[str]:
        """The identity of each video that calibrates random weights (see `identities`)."""
        if self._needs_manifests(dataset):
            return []
        count = self._sections[dataset].features.random.calibration_videos
        videos = calibration_videos(Path(self.manifests(dataset)[0]), count)
        return self._identities(dataset, videos, "calibration")

    def calibration(self, dataset: str, modality: str) -> str:
        """The settings that random weights depend on, and where links of videos may lead."""
        random = self._sections[dataset].features.random.recorded()
        links = self.link_roots(dataset)
        settings = self._extraction(dataset, modality) | {"random": random}
        return canonical_json(settings | ({"link_roots": links} if links else {}))

    def extraction(self, dataset: str, modality: str) -> str:
        """The settings that features depend on, apart from videos and weights."""
        return canonical_json(self._extraction(dataset, modality))

    def extraction_version(self, dataset: str, modality: str) -> str:
        """A digest that changes if the same settings give different features."""
        video = VideoSettings(**self._sections[dataset].video.model_dump())
        return fingerprint_of(self._backbone(dataset, modality), video, "").digest[:16]

    def _backbone(self, dataset: str, modality: str) -> FeatureSettings:
        return getattr(self._sections[dataset].features, modality)

    def _extraction(self, dataset: str, modality: str) -> dict[str, dict]:
        """Settings of the stages video and features that one modality's features depend on.

        Values that are chosen by the machine (`auto`) or not used (`none`) are left out.
        """
        features, video = self._backbone(dataset, modality), self._sections[dataset].video
        own = backbone_spec(features.backbone).decoding(video)
        sections = {"video": video.decoding(modality) | own, "features": features.recorded()}
        return {
            name: {key: value for key, value in section.items() if value not in ("auto", "none")}
            for name, section in sections.items()
        }
