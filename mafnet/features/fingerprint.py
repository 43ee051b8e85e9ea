"""Everything except the video that decides the values of clip features."""

from dataclasses import asdict, dataclass
from functools import cached_property

from mafnet.common import versions
from mafnet.common.files import digest_of
from mafnet.features.backbones import backbone_spec
from mafnet.features.config import FeatureSettings
from mafnet.video.config import SAMPLE_RATE, VideoSettings

MODALITIES = ("visual", "audio")


@dataclass(frozen=True)
class Fingerprint:
    """Everything except the video's bytes that decides the values of its features."""

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
    return Fingerprint(
        modality=spec.modality,
        backbone=spec.name,
        backbone_version=spec.version,
        decode_version=versions.DECODE_VISUAL if visual else versions.DECODE_AUDIO,
        weights=features.weights,
        weights_sha256=weights_sha256,
        precision=features.precision,
        backend=features.backend,
        grid=tuple(_grid(video, visual).items()),
    )


def _grid(video: VideoSettings, visual: bool) -> dict[str, object]:
    """The settings of the video stage that a modality's features depend on."""
    if not visual:
        return {"clips": video.clips, "sample_rate": SAMPLE_RATE}
    hardware = {} if video.hwaccel == "none" else {"hwaccel": video.hwaccel}
    return hardware | {
        "clips": video.clips,
        "frames_per_clip": video.frames_per_clip,
        "frame_size": video.frame_size,
        "interpolation": video.interpolation,
    }
