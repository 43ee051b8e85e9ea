"""What the networks compute on, made of decoded clips; readable without torch.

N clips of I items each: the maps of a clip's items are averaged into the clip's features.
"""

import numpy as np

from mafnet.features.backbones.logmel import log_mel


def frames(clips: np.ndarray) -> np.ndarray:
    """The frames of clips (N, I, H, W, 3), uint8 RGB, as they are: I is the number of frames."""
    if clips.ndim != 5 or clips.shape[-1] != 3 or clips.dtype != np.uint8:
        raise ValueError(f"frames are uint8 (N, F, H, W, 3), not {clips.dtype} {clips.shape}")
    return clips


def log_mel_patches(clips: np.ndarray) -> np.ndarray:
    """One log-mel patch (N, 1, 1, 96, 64) of each clip (N, S), int16 samples at 16 kHz.

    float32 at lower precisions of the network too, because the logarithm is steep.
    """
    if clips.ndim != 2 or clips.dtype != np.int16:
        raise ValueError(f"sound is int16 (N, S), not {clips.dtype} {clips.shape}")
    return log_mel(clips.astype(np.float32) / 32768.0)[:, None, None]
