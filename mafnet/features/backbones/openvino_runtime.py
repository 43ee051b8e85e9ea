"""Networks as OpenVINO graphs: pieces to build them from arrays, and how they are run on a CPU.

Built by hand rather than converted: torch is not imported, and it takes a second instead of 13.
Layouts are (N, C, H, W).
"""

import importlib
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.densenet_layers import BN_EPS
from mafnet.features.backbones.precision import check_precision

CPU_WORKERS = 16
"""The first thread with DenseNet-201 takes 0.4 GB, each further one 65 MB (measured)."""

CONVERTER = "openvino.tools.ovc"

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""What OpenVINO calls our precisions; left to itself it takes bfloat16 where there is some."""


def openvino() -> ModuleType:
    """The package without its converter, whose import sends usage statistics by itself."""
    if "openvino" in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[CONVERTER] = None  # it cannot be imported, which the package takes calmly
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[CONVERTER]


def operations() -> ModuleType:
    """OpenVINO's operations, of which graphs are made."""
    return openvino().opset15


def suits(precision: str) -> bool:
    """True if OpenVINO is there and this processor computes in `precision`."""
    return installed() and precision in _HINTS and _capable(precision)


def installed() -> bool:
    """True if the package is there and can be loaded on this machine."""
    try:
        openvino()
    except ImportError:
        return False
    return True


def check(precision: str) -> None:
    """Raise MafnetError where this machine cannot run `precision` by OpenVINO."""
    check_precision(precision, gpu=False)
    if not installed():
        raise MafnetError(
            "backend openvino: the package cannot be imported; run `pip install openvino`, or "
            "choose auto"
        )
    if not _capable(precision):
        raise MafnetError(
            f"backend openvino: this processor has no {precision}; choose float32, or backend torch"
        )


def _capable(precision: str) -> bool:
    """True if the processor itself has the precision; OpenVINO would silently take another."""
    found = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return precision == "float32" or "BF16" in found


class Compiled:
    """A graph on the CPU, one stream for each thread that calls it: `output = compiled(array)`.

    It may be called from several threads at once; each has buffers of its own.
    """

    def __init__(self, model: object, precision: str, threads: int) -> None:
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": min(threads, CPU_WORKERS),
            "INFERENCE_NUM_THREADS": threads,
            # Jobs side by side would all be pinned to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._network = openvino().Core().compile_model(model, "CPU", settings)
        self._own = threading.local()

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The graph's one output for its one input."""
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        return self._own.request.infer([array], share_inputs=True)[0]


class CompiledByShape:
    """A graph compiled when the first input of a shape comes.

    draw: makes the graph for inputs of one shape.
    """

    def __init__(self, draw: Callable, precision: str, threads: int) -> None:
        self._draw, self._precision, self._threads = draw, precision, threads
        self._compiled: dict[tuple[int, ...], Compiled] = {}
        self._lock = threading.Lock()

    def __call__(self, array: np.ndarray) -> np.ndarray:
        with self._lock:
            network = self._compiled.get(array.shape)
            if network is None:
                network = Compiled(self._draw(array.shape), self._precision, self._threads)
                self._compiled[array.shape] = network
        return network(array)


class ClipByClip:
    """What backbones by OpenVINO share: one clip at a time, OpenVINO's own threads.

    draw: makes the graph of a network from its `Weights` and the shape of its input.
    """

    device = "cpu"
    batch = 1
    max_workers = CPU_WORKERS

    def __init__(self, draw: Callable, weights: "Weights", precision: str, threads: int) -> None:
        check(precision)
        self._network = CompiledByShape(partial(draw, weights), precision, threads)

    def start_worker(self, threads: int) -> None:
        """OpenVINO deals out its threads by itself."""


def rounded(maps: np.ndarray) -> np.ndarray:
    """Maps as float16; what is too large for it becomes infinite, as in torch."""
    with np.errstate(over="ignore"):
        return maps.astype(np.float16)


class Weights:
    """The arrays of a network by name; MafnetError if one is missing or has another shape."""

    def __init__(self, arrays: Mapping[str, np.ndarray], network: str) -> None:
        self._arrays, self._network = arrays, network

    def __call__(self, name: str, *shape: int) -> np.ndarray:
        array = self._arrays.get(name)
        if array is None or array.shape != shape:
            wrong = f"missing {name}" if array is None else f"wrong shape {name} {array.shape}"
            raise MafnetError(
                f"these are no weights of {self._network}: {wrong}; check the weights file"
            )
        return array

    def affine(self, name: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift (channels,) that a batch normalisation with fixed statistics is."""
        parts = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self(f"{name}.{part}", channels) for part in parts)
        scale = weight / np.sqrt(variance.astype(np.float64) + BN_EPS)
        return scale, bias - mean * scale


def constant(values: np.ndarray) -> object:
    """Values as float32 in a graph."""
    return operations().constant(np.ascontiguousarray(values, np.float32))


def by_channel(values: np.ndarray) -> object:
    """One value a channel, to be laid on maps (N, C, H, W)."""
    return constant(np.reshape(values, (1, -1, 1, 1)))


def convolution(maps: object, kernel: np.ndarray, stride: int = 1) -> object:
    """A convolution that keeps the size of the maps, but for the stride."""
    ends = [kernel.shape[-1] // 2] * 2
    return operations().convolution(maps, constant(kernel), [stride] * 2, ends, ends, [1, 1])


def scaled_relu(maps: object, scale: np.ndarray, shift: np.ndarray) -> object:
    """max(0, maps * scale + shift)."""
    op = operations()
    return op.relu(op.add(op.multiply(maps, by_channel(scale)), by_channel(shift)))


def shifted_relu(maps: object, shift: np.ndarray) -> object:
    """max(0, maps + shift)."""
    op = operations()
    return op.relu(op.add(maps, by_channel(shift)))


def max_pool(maps: object, size: int, margin: int = 0) -> object:
    """The largest of size x size values around every second place."""
    ends = [margin] * 2
    return operations().max_pool(maps, [2, 2], [1, 1], ends, ends, [size] * 2).output(0)
