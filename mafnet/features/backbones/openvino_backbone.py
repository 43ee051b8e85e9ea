"""Any backbone of the registry by OpenVINO: the same function of the same weights, on CPUs."""

import math
import threading
from pathlib import Path

import numpy as np

from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.openvino_convert import converted
from mafnet.features.backbones.openvino_runtime import CPU_WORKERS, Compiled, check
from mafnet.features.backbones.spec import BackboneSpec

ITEMS_AT_A_TIME = 4
"""At most so many frames of a clip go through together: 2 % faster than one at a time at float32,
12 % at bfloat16, and all 16 need half as much memory again (measured on DenseNet-201)."""


class OpenVINOBackbone:
    """A `Backbone` that computes one clip at a time, so that no clip depends on its neighbours.

    It is as fast as batches (measured). OpenVINO gives each thread its cores by itself.
    """

    device = "cpu"
    batch = 1
    max_workers = CPU_WORKERS

    def __init__(self, name: str, weights: Path, precision: str, threads: int) -> None:
        check(precision)
        self._spec, self._weights = backbone_spec(name), weights
        self._precision, self._threads = precision, threads
        self._networks: dict[tuple[int, ...], Compiled] = {}
        self._lock = threading.Lock()

    def start_worker(self, threads: int) -> None:
        """OpenVINO deals out its threads by itself."""

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Features (N, *feature_shape) float16: the mean over a clip's items, channels last."""
        if len(clips) == 0:
            return np.zeros((0, *self._spec.feature_shape), np.float16)
        return np.stack([self._clip(parts) for parts in parts_of(clips, self._spec)])

    def _clip(self, parts: np.ndarray) -> np.ndarray:
        network = self._network(parts[0])
        maps = np.mean([network(part) for part in parts], axis=0)
        with np.errstate(over="ignore"):  # too large for float16 is infinite, as in torch
            return maps.astype(np.float16)

    def _network(self, part: np.ndarray) -> Compiled:
        """The model for inputs of this shape, made when the first one comes."""
        with self._lock:
            if part.shape not in self._networks:
                model = converted(self._spec.name, self._weights, part)
                self._networks[part.shape] = Compiled(model, self._precision, self._threads)
            return self._networks[part.shape]


def parts_of(clips: np.ndarray, spec: BackboneSpec) -> np.ndarray:
    """The items of clips in parts of the same size, (N, parts, items, ...)."""
    items = spec.inputs(clips)
    size = math.gcd(items.shape[1], ITEMS_AT_A_TIME)
    return items.reshape(len(items), -1, size, *items.shape[2:])
