"""Everything except the video that decides the values of clip features."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property

from mafnet.common import versions
from mafnet.common.config import parse
from mafnet.common.files import digest_of
from mafnet.features.backbones import backbone_spec
from mafnet.features.config import FeatureSettings, FeaturesSection
from mafnet.video.config import VideoSettings

MODALITIES = ("visual", "audio")


@dataclass(frozen=True)
class Fingerprint:
    """Everything except the video's bytes that decides the values of its features.

    grid: settings of the decoding, and keys of the backbone that came after version 0.1.
    """

    modality: str
    backbone: str
    backbone_version: int
    decode_version: int
    weights: str
    weights_sha256: str
    precision: str
    backend: str
    grid: tuple[tuple[str, object], ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the fingerprint, in hexadecimal.

        The values of the weights count, not their name. Backend `auto` does not count.
        """
        counted = {key: value for key, value in self.as_dict().items() if key != "weights"}
        if self.backend == "auto":
            del counted["backend"]
        return digest_of(counted)

    def as_dict(self) -> dict:
        """The fingerprint as plain JSON values."""
        return asdict(self) | {"grid": dict(self.grid)}


def fingerprint_of(
    features: FeatureSettings, video: VideoSettings, weights_sha256: str
) -> Fingerprint:
    """The fingerprint of one modality's extraction."""
    spec = backbone_spec(features.backbone)
    visual = spec.modality == "visual"
    source = {"frame_size": video.frame_size} if visual else {"sample_rate": video.sample_rate}
    window = {} if video.window_seconds == 1 else {"window_seconds": video.window_seconds}
    own = {key: value for key, value in features.recorded().items() if key not in FIELDS}
    return Fingerprint(
        modality=spec.modality,
        backbone=spec.name,
        backbone_version=spec.version,
        decode_version=versions.DECODE_VISUAL if visual else versions.DECODE_AUDIO,
        weights=features.weights,
        weights_sha256=weights_sha256,
        precision=features.precision,
        backend=features.backend,
        grid=tuple((video.grid(spec.modality) | source | window | own).items()),
    )


FIELDS = {field.name for field in fields(Fingerprint)}


def parse_features(values: Mapping, what: str) -> FeatureSettings:
    """The settings of a backbone; each modality may have keys of its own.

    what: the origin of the values, for messages.
    """
    modality = backbone_spec(str(values.get("backbone"))).modality
    return parse(FeaturesSection.model_fields[modality].annotation, values, what)
