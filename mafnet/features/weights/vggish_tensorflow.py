"""Reads VGGish from TensorFlow's files, and computes TensorFlow's outputs on some patches.

Runs in the environment envs/vggish.yaml, or .venv-vggish, which have TensorFlow and no torch.
`vggish_check`, which needs torch but not TensorFlow, checks the output (safetensors). N patches,
S samples.

    python -m mafnet.features.weights.vggish_tensorflow SOURCE saved_model|checkpoint OUTPUT
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from safetensors.numpy import save
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.features.backbones.vggish_layers import CHANNELS, POOLED

PATCHES = 3
PATCH_SHAPE = (96, 64)
LOG_MEL_RANGE = (-4.6, 5.0)
"""From log(0.01), silence, to the level of loud audio."""

SAMPLE_RATE = 16_000

CHECKPOINT_LAYERS = {
    "conv1": "vggish/conv1",
    "conv2": "vggish/conv2",
    "conv3_1": "vggish/conv3/conv3_1",
    "conv3_2": "vggish/conv3/conv3_2",
    "conv4_1": "vggish/conv4/conv4_1",
    "conv4_2": "vggish/conv4/conv4_2",
}
"""Scopes of the convolutions in AudioSet's checkpoint, each with `weights` and `biases`."""


def export(source: Path, form: str, output: Path) -> None:
    """Write kernels and biases, and TensorFlow's maps of some patches.

    form: "saved_model", a folder, or "checkpoint", a file of TF1.
    Tensors: `<layer>.kernel` (3, 3, in, out), `<layer>.bias`, `patches` (N, 96, 64), `maps`
    (N, 12, 8, 512) after conv4_2's ReLU, and for a SavedModel the `waveform` (S,) that its own
    front end turned into the patches.
    """
    tf.config.set_visible_devices([], "GPU")  # a GPU's convolutions are less exact than the check
    read = {"saved_model": _of_saved_model, "checkpoint": _of_checkpoint}[form]
    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in read(source)}
    with replacing(output, sealed=True) as beside:
        beside.write_bytes(save(tensors, {"tensorflow": tf.__version__}))


def _of_checkpoint(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The checkpoint's variables by name, and the maps of a network of TensorFlow's operations."""
    try:
        reader = tf.train.load_checkpoint(str(source))
        layers = {
            name: [reader.get_tensor(f"{scope}/{part}") for part in ("weights", "biases")]
            for name, scope in CHECKPOINT_LAYERS.items()
        }
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MafnetError(f"{source}: is not AudioSet's VGGish checkpoint ({reason})") from error
    patches = np.random.default_rng(0).uniform(*LOG_MEL_RANGE, (PATCHES, *PATCH_SHAPE))
    patches = patches.astype(np.float32)
    yield from _named(layers)
    yield "patches", patches
    yield "maps", _maps(patches, layers).numpy()


def _maps(patches: np.ndarray, layers: dict[str, list[np.ndarray]]) -> tf.Tensor:
    """Maps (N, 12, 8, 512) of patches (N, 96, 64)."""
    maps = patches[..., None]
    for name, (kernel, bias) in layers.items():
        maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, 1, "SAME"), bias))
        if name in POOLED:
            maps = tf.nn.max_pool2d(maps, 2, 2, "SAME")
    return maps


def _of_saved_model(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Tensors of the model's own graph, and the maps that it computes from a waveform.

    Its variables have no useful names, and their order is not guaranteed. So each convolution is
    found by the shape of its kernel, which is unique, and its bias by the addition that follows.
    """
    graph = _constant_graph(source)
    convolutions = {name: _convolution(source, graph, name) for name in CHANNELS}
    sums = {
        name: _consumer(node, ("BiasAdd", "AddV2", "Add")) for name, node in convolutions.items()
    }
    maps = _consumer(sums["conv4_2"], ("Relu",))
    waveform = _waveform()
    run = graph.prune(graph.inputs, [convolutions["conv1"].inputs[0], maps.outputs[0]])
    patches, maps = run(tf.constant(waveform))
    yield from _named(
        {
            name: [_constant(node.inputs[1]), _constant(sums[name].inputs[1])]
            for name, node in convolutions.items()
        }
    )
    yield "patches", patches.numpy().reshape(-1, *PATCH_SHAPE)
    yield "maps", maps.numpy()
    yield "waveform", waveform


def _constant_graph(source: Path) -> tf.types.experimental.ConcreteFunction:
    """The model's function of a waveform, inlined and with constants instead of variables."""
    try:
        model = hub.load(str(source))
        function = model.__call__.get_concrete_function(tf.TensorSpec([None], tf.float32))
    except (AttributeError, OSError, TypeError, ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise MafnetError(f"{source}: is not a SavedModel of a waveform ({reason})") from error
    return convert_variables_to_constants_v2(function)


def _convolution(
    source: Path, function: tf.types.experimental.ConcreteFunction, name: str
) -> tf.Operation:
    """The one convolution of the graph that has a layer's kernel shape."""
    shape = (3, 3, *CHANNELS[name])
    nodes = [node for node in function.graph.get_operations() if node.type == "Conv2D"]
    found = [node for node in nodes if tuple(node.inputs[1].shape) == shape]
    if len(found) != 1:
        raise MafnetError(
            f"{source}: has {len(found)} convolutions of shape {shape} instead of one ({name} of "
            "VGGish); use other weights, e.g. audioset"
        )
    return found[0]


def _consumer(node: tf.Operation, types: tuple[str, ...]) -> tf.Operation:
    """The operation of one of some types that takes a node's output, through identities."""
    for consumer in node.outputs[0].consumers():
        if consumer.type in types:
            return consumer
        if consumer.type == "Identity":
            return _consumer(consumer, types)
    raise MafnetError(f"{node.name}: no {types[0]} follows; this SavedModel is not VGGish")


def _constant(tensor: tf.Tensor) -> np.ndarray:
    """The value of a constant, through identities."""
    node = tensor.op
    while node.type == "Identity":
        node = node.inputs[0].op
    return tf.make_ndarray(node.get_attr("value"))


def _named(layers: dict[str, list[np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    for name, (kernel, bias) in layers.items():
        yield f"{name}.kernel", kernel
        yield f"{name}.bias", bias


def _waveform() -> np.ndarray:
    """Noise and a rising tone (S,) in [-0.5, 0.5), long enough for the patches."""
    samples = PATCHES * SAMPLE_RATE
    seconds = np.arange(samples) / SAMPLE_RATE
    tones = 0.3 * np.sin(2 * np.pi * (200 + 400 * seconds) * seconds)
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, samples)
    return (tones + noise).astype(np.float32)


if __name__ == "__main__":
    try:
        export(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    except MafnetError as error:
        sys.exit(str(error))
