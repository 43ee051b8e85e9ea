"""Puts an extractor together from files and settings."""

from functools import cache as once
from pathlib import Path

from mafnet.common.files import sha256_of
from mafnet.common.options import build
from mafnet.features.backbones import Backbone
from mafnet.features.cache import FeatureCache
from mafnet.features.extract import Extractor
from mafnet.features.fingerprint import FeatureSettings, fingerprint_of
from mafnet.video.settings import VideoSettings


def extractor(
    root: Path, weights: Path, cache: Path, settings: dict, threads: int, device: str
) -> Extractor:
    """An extractor of one modality.

    settings: {"video": {...}, "features": {...}}, as the config has them for one modality.
    The backbone is built, and what computes it imported, when the first video is to be extracted.
    """
    features = build(FeatureSettings, settings["features"], "features")
    video = build(VideoSettings, settings["video"], "video")
    fingerprint = fingerprint_of(features, video, sha256_of(weights))

    @once
    def make() -> Backbone:
        from mafnet.features.backends import build_backbone

        return build_backbone(features, weights, device, threads)

    return Extractor(FeatureCache(cache, fingerprint), root, video, make, workers=threads)
