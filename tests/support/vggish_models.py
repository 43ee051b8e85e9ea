"""Writes VGGish in TensorFlow's published formats with random weights; needs TensorFlow.

    python tests/support/vggish_models.py FOLDER

It writes into FOLDER `vggish_1/`, a SavedModel (18 variables in creation order; input: a 1-d
waveform; output: 128-d vectors), and `vggish_model.ckpt`, a checkpoint in the first format of TF1.
Both have the same weights.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

CONVOLUTIONS = {  # scope: shape of the kernel, is a pooling layer next
    "conv1": ((3, 3, 1, 64), True),
    "conv2": ((3, 3, 64, 128), True),
    "conv3/conv3_1": ((3, 3, 128, 256), False),
    "conv3/conv3_2": ((3, 3, 256, 256), True),
    "conv4/conv4_1": ((3, 3, 256, 512), False),
    "conv4/conv4_2": ((3, 3, 512, 512), True),
}
DENSE = {"fc1/fc1_1": (12288, 4096), "fc1/fc1_2": (4096, 4096), "fc2": (4096, 128)}


def values():
    """Names in TF1 and values: He initialisation, and biases that are not zero."""
    rng = np.random.default_rng(7)
    shapes = {scope: shape for scope, (shape, _) in CONVOLUTIONS.items()} | DENSE
    for scope, shape in shapes.items():
        kernel = rng.standard_normal(shape, np.float32)
        yield f"vggish/{scope}/weights", kernel * np.float32((2 / np.prod(shape[:-1])) ** 0.5)
        yield f"vggish/{scope}/biases", rng.uniform(-0.3, 0.3, shape[-1]).astype(np.float32)


class Vggish(tf.Module):
    def __init__(self):
        super().__init__()
        self.weights = [tf.Variable(value, name=name) for name, value in values()]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, waveform):
        return self.embeddings(log_mel(waveform))

    @tf.function
    def embeddings(self, patches):
        maps = patches[..., None]
        weights = iter(self.weights)
        for _, pooled in CONVOLUTIONS.values():
            maps = tf.nn.conv2d(maps, next(weights), 1, "SAME")
            maps = tf.nn.relu(tf.nn.bias_add(maps, next(weights)))
            maps = tf.nn.max_pool2d(maps, 2, 2, "SAME") if pooled else maps
        vectors = tf.reshape(maps, [-1, 12288])
        for _ in DENSE:
            vectors = tf.nn.relu(vectors @ next(weights) + next(weights))
        return vectors


def log_mel(waveform):
    """Patches (N, 96, 64) of 0.96 s each, with TensorFlow's own operations."""
    spectrum = tf.abs(tf.signal.stft(waveform, 400, 160, 512))
    matrix = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0)
    return tf.signal.frame(tf.math.log(spectrum @ matrix + 0.01), 96, 96, axis=0)


def save_checkpoint(path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.get_variable(name, initializer=v) for name, v in values()]
        session.run(tf.compat.v1.global_variables_initializer())
        first = tf.compat.v1.train.SaverDef.V1
        saver = tf.compat.v1.train.Saver(variables, write_version=first)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    model = Vggish()
    assert model(tf.zeros(16_000)).shape == (1, 128)
    tf.saved_model.save(model, str(folder / "vggish_1"))
    save_checkpoint(folder / "vggish_model.ckpt")
