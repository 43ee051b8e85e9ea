"""How OpenVINO computes models on a CPU; readable without torch."""

import importlib
import sys
import threading
from types import ModuleType

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.precision import check_precision

CPU_WORKERS = 16
"""The first thread with DenseNet-201 takes 0.4 GB, each further one 65 MB (measured)."""

STATISTICS = "openvino_telemetry"

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""What OpenVINO calls our precisions; left to itself it takes bfloat16 where there is some."""


def openvino() -> ModuleType:
    """The package without what sends usage statistics, as its import and each conversion would."""
    if "openvino" not in sys.modules:
        sys.modules[STATISTICS] = None  # it cannot be imported, which the package allows
    return importlib.import_module("openvino")


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
    """A model on the CPU, one stream for each thread that calls it: `output = compiled(array)`.

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
        """The model's one output for its one input."""
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        return self._own.request.infer([array], share_inputs=True)[0]
