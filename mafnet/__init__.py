"""mafnet: audio-visual event recognition, from raw videos to numbers.

`load(RUN).predict(VIDEO)` classifies videos by a trained run, `extract(VIDEOS)` computes features.
Importing mafnet imports no library; the functions import what they need.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mafnet.features.video_features import VideoFeatures
    from mafnet.model.predictor import Model

__version__ = "0.1.0"


def load(
    run: str | Path,
    *,
    weights: str | Path | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    silent: str = "zero",
) -> "Model":
    """A trained run, ready to predict; MafnetError says what does not fit.

    run: folder of the run, results/DATASET/SPLIT/VARIANT/seedN, or a file of `mafnet export`.
    weights: folder that is searched first for the weights of the backbones; their sha256 decides.
        The folders `weights` of the data set's results, of the project and of the working folder
        follow.
    cache: folder of the features' cache; by default `cache` of the project or of the working
        folder if it exists, else a temporary folder.
    device: "auto", "cpu", "cuda", "cuda:1". threads: CPU threads, by default all.
    silent: what to do with a video without audio: "zero", "drop" or "fail", as `video.silent` of
        the config.
    """
    from mafnet.model.predictor import Model

    return Model(run, weights, cache, device, threads, silent)


def extract(
    paths: Iterable[str | Path],
    *,
    visual: str | None = "efficientnet_lite0:imagenet",
    audio: str | None = "yamnet:audioset",
    clips: int = 10,
    maps: bool = False,
    scores: bool = False,
    weights: str | Path = "weights",
    cache: str | Path = "cache",
    device: str = "auto",
    threads: int | None = None,
) -> "VideoFeatures":
    """The features of videos: arrays with the time of each clip; MafnetError for wrong settings.

    A video that cannot be used is in `failed` of the result. All features are in memory.
    visual, audio: "BACKBONE:WEIGHTS", WEIGHTS a published name or a safetensors file; None for no
        features of this modality.
    clips: T, the seconds of each video that are read. maps: True for maps, not their means.
    scores: True for the scores of the backbone's own classes too, such as the sounds of yamnet.
    weights: folder of published weights; missing ones are downloaded. cache: folder of the cache.
    """
    from mafnet.features.video_features import video_features

    chosen = {"visual": visual, "audio": audio}
    backbones = {name: text for name, text in chosen.items() if text}
    folders = Path(weights), Path(cache)
    return video_features(paths, backbones, clips, maps, *folders, device, threads, scores)
