"""Random weights of a backbone, with normalisation statistics that fit the training videos."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from mafnet.common.config import parse
from mafnet.common.errors import MachineError, MafnetError
from mafnet.common.files import replacing
from mafnet.dataset.manifest import calibration_videos
from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.backends import prepare
from mafnet.features.config import RandomWeights
from mafnet.features.decode_pool import Clip, decode_in_parallel
from mafnet.features.fingerprint import parse_features
from mafnet.video.config import VideoSettings
from mafnet.video.interruptions import require_none
from mafnet.video.media import Media
from mafnet.video.probe import PROBE_SECONDS, probe_many
from mafnet.video.status import Status


def calibrate(
    manifests: Sequence[Path], root: Path, settings: dict, output: Path, threads: int
) -> None:
    """Write random weights calibrated on the first training videos of the first manifest.

    The first ones, so that a video added at the end of the manifest changes no weights. Where
    OpenVINO extracts, its model is made too: here torch is imported anyway, later it is not.
    settings: {"video": {...}, "features": {...}, "random": {...}}, as in the config, and
        optionally "link_roots", those of section `video`.
    """
    from safetensors.torch import save

    features = parse_features(settings["features"], "--settings features")
    video = parse(VideoSettings, settings["video"], "--settings video")
    random = parse(RandomWeights, settings["random"], "--settings random")
    seed, count = random.seed, random.calibration_videos
    videos = calibration_videos(manifests[0], count)
    links = settings.get("link_roots", ())
    rows = list(probe_many(root, videos, threads, PROBE_SECONDS, links))
    require_none(rows)
    media = [row for row in rows if row.ok]
    if not media:
        raise MafnetError(f"{manifests[0]}: none of the first {count} training videos can be read")
    modality = backbone_spec(features.backbone).modality
    backbone = frozen_network(features.backbone)
    clips = _clips(media, root, modality, video)
    with _one_thread():
        weights = backbone.calibrate(backbone.random_weights(seed), clips)
    tensors = {key: value.contiguous() for key, value in weights.items()}
    with replacing(output, sealed=True) as beside:
        beside.write_bytes(save(tensors, {"source": f"random, seed {seed}"}))
    for first in islice(_clips(media, root, modality, video), 1):
        prepare(features, output, first)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread: more of them add in another order, and the weights would differ."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _clips(
    media: Sequence[Media], root: Path, modality: str, video: VideoSettings
) -> Iterator[np.ndarray]:
    """Every clip of the videos, in order, as batches of one."""
    for row in media:
        for event in decode_in_parallel([row], root, modality, video, workers=1):
            if isinstance(event, Clip):
                yield event.data[None]
            elif event.status == Status.INTERRUPTED:
                raise MachineError(
                    f"{row.video}: decoding was interrupted ({event.error}); check the disk and "
                    "the limits of the machine, and run the same command again"
                )
