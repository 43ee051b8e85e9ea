"""Puts an extractor together from files and settings."""

from functools import cache as once
from pathlib import Path

from mafnet.common.config import parse
from mafnet.common.files import sha256_of
from mafnet.features.backbones import Backbone
from mafnet.features.cache import FeatureCache
from mafnet.features.config import FeatureSettings
from mafnet.features.extract import Extractor
from mafnet.features.fingerprint import fingerprint_of
from mafnet.video.config import VideoSettings


def extractor(
    root: Path, weights: Path, cache: Path, settings: dict, threads: int, device: str
) -> Extractor:
    """An extractor of one modality.

    settings: {"video": {...}, "features": {...}}, as the config has them for one modality.
    The backbone is built, and what computes it imported, when the first video is to be extracted.
    """
    features = parse(FeatureSettings, settings["features"], "--settings features")
    video = parse(VideoSettings, settings["video"], "--settings video")
    fingerprint = fingerprint_of(features, video, sha256_of(weights))

    @once
    def make() -> Backbone:
        from mafnet.features.backends import build_backbone

        return build_backbone(features, weights, device, threads)

    return Extractor(FeatureCache(cache, fingerprint), root, video, make, workers=threads)
