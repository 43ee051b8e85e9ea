"""What the rules of the stage features ask: weights, and what features depend on."""

from pathlib import Path

from mafnet.common.files import canonical_json
from mafnet.dataset.manifest import calibration_videos
from mafnet.features.config import FeatureSettings
from mafnet.features.fingerprint import fingerprint_of
from mafnet.plan.video import VideoAnswers
from mafnet.video.config import VideoSettings


class FeaturesAnswers(VideoAnswers):
    """Where the weights are, and the settings of calibration and extraction."""

    @property
    def weights_folders(self) -> list[str]:
        """The folders of published weights."""
        return sorted({own.features.weights_folder for own in self._sections.values()})

    def random(self, dataset: str, modality: str) -> bool:
        """True if a modality's backbone has random weights."""
        return self._backbone(dataset, modality).weights == "random"

    def weights(self, dataset: str, modality: str) -> str:
        """The weights file of a modality's backbone."""
        if self.random(dataset, modality):
            return f"results/{dataset}/weights/{modality}.safetensors"
        folder = self._sections[dataset].features.weights_folder
        own = self._backbone(dataset, modality)
        return f"{folder}/{own.backbone}-{own.weights}.safetensors"

    def calibration_members(self, dataset: str) -> list[str]:
        """The videos that calibrate random weights; a file that is replaced gives another text."""
        if self._awaited(dataset):
            return []
        count = self._sections[dataset].features.random.calibration_videos
        videos = calibration_videos(Path(self.manifests(dataset)[0]), count)
        return self._identities(dataset, videos, "calibration")

    def calibration(self, dataset: str, modality: str) -> str:
        """The settings that random weights depend on."""
        random = self._sections[dataset].features.random.recorded()
        return canonical_json(self._extraction(dataset, modality) | {"random": random})

    def extraction(self, dataset: str, modality: str) -> str:
        """The settings that features depend on besides videos and weights."""
        return canonical_json(self._extraction(dataset, modality))

    def extraction_version(self, dataset: str, modality: str) -> str:
        """A digest that changes if the extraction gives other values for the same settings."""
        settings = self._extraction(dataset, modality)
        features = FeatureSettings.model_validate(settings["features"])
        video = VideoSettings.model_validate(settings["video"])
        return fingerprint_of(features, video, "").digest[:16]

    def _backbone(self, dataset: str, modality: str) -> FeatureSettings:
        return getattr(self._sections[dataset].features, modality)

    def _extraction(self, dataset: str, modality: str) -> dict[str, dict]:
        """Settings of the stages video and features that one modality's features depend on.

        They do not depend on what the machine chooses (`auto`) or on what is not used (`none`).
        """
        sections = {
            "video": self._sections[dataset].video.decoding(modality),
            "features": self._backbone(dataset, modality).recorded(),
        }
        return {
            name: {key: value for key, value in section.items() if value not in ("auto", "none")}
            for name, section in sections.items()
        }
