"""mafnet: audio-visual event recognition, from raw videos to numbers.

`load(RUN).predict(VIDEO)` classifies videos by a trained run. Importing mafnet imports no torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

    run: folder of the run, results/DATASET/SPLIT/VARIANT/seedN.
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
