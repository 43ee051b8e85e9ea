"""Results of a benchmark: machine and versions, ratios of costs, comparison with an earlier run."""

import os
import platform
import re
import statistics
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measured import Measured, Stage

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "torchvision", "openvino", "numpy", "pillow")
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "bf16")
"""Processor features that decide which kernels are used."""

COSTS = ("wall_s", "cpu_s")


def about(backend: str) -> dict:
    """Time, commit, machine, versions, and the backend that is used at each precision."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output_of("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "machine": _machine(),
        "backends": _backends(backend),
        "versions": {"python": platform.python_version(), "ffmpeg": _ffmpeg()} | _packages(),
    }


def _machine() -> dict:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    flags = set(re.findall(r"[a-z0-9_]+", "".join(re.findall(r"^[Ff][^\n]*s\s*:.*$", text, 8)[:1])))
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "features": [name for name in FEATURES if name in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
    }


def _packages() -> dict[str, str | None]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _backends(setting: str) -> dict[str, str]:
    """The backend that computes the features on this machine, by precision."""
    from mafnet.features.backends import choose_backend
    from mafnet.features.config import FeatureSettings

    return {
        precision: choose_backend(
            FeatureSettings(
                backbone="densenet201", weights="random", precision=precision, backend=setting
            ),
            "cpu",
        )
        for precision in ("float32", "bfloat16")
    }


def _ffmpeg() -> str:
    from mafnet.common.ffmpeg import ffmpeg_version

    return ffmpeg_version()


def _output_of(*command: str) -> str:
    """The output of a command; empty if it fails, as git does outside a git checkout."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def summary(stage: Stage, costs: dict[str, Measured], results: dict[str, "np.ndarray"]) -> dict:
    """Costs of all ways of a stage, and their ratios to its reference, as written to JSON."""
    ways = {}
    for way, cost in costs.items():
        ways[way] = {name: [round(value, 5) for value in getattr(cost, name)] for name in COSTS}
        ways[way]["peak_mb"] = round(cost.peak_mb, 1)
        if stage.reference in costs and way != stage.reference:
            ways[way] |= _against_reference(stage, way, costs, results)
    about = {"stage": stage.name, "per": stage.per, "reference": stage.reference}
    return about | {"ways": ways}


def _against_reference(
    stage: Stage, way: str, costs: dict[str, Measured], results: dict[str, "np.ndarray"]
) -> dict:
    """Ratios reference / way of the costs of each round, and the difference of the results.

    No difference if the results are of different networks.
    """
    usual, own = asdict(costs[stage.reference]), asdict(costs[way])
    ratios = {
        f"{name}_ratio": [round(u / o, 3) for u, o in zip(usual[name], own[name], strict=True)]
        for name in COSTS
    }
    if results[way].shape != results[stage.reference].shape:
        return ratios
    difference = relative(results[way], results[stage.reference])
    tolerance = stage.tolerances.get(way)
    agrees = None if tolerance is None else difference <= tolerance
    return ratios | {"difference": difference, "tolerance": tolerance, "agrees": agrees}


def relative(ours: "np.ndarray", plain: "np.ndarray") -> float:
    """L2 norm of the difference, divided by the L2 norm of the plain result."""
    import numpy as np

    ours, plain = (np.asarray(values, np.float64).ravel() for values in (ours, plain))
    return float(np.linalg.norm(ours - plain) / np.linalg.norm(plain))


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum."""
    return statistics.median(values), min(values), max(values)


def compared(new: dict, old: dict) -> list[dict]:
    """One row for each stage and way that both runs have, with the ratios new / old.

    A change is called "faster" or "slower" only if the ranges of the rounds do not overlap.
    """
    known = {stage["stage"]: stage["ways"] for stage in old["stages"]}
    return [
        {"stage": stage["stage"], "way": way} | _change(found, known[stage["stage"]][way])
        for stage in new["stages"]
        for way, found in stage["ways"].items()
        if way in known.get(stage["stage"], {})
    ]


def _change(new: dict, old: dict) -> dict:
    row = {"peak_mb": round(new["peak_mb"] / old["peak_mb"], 3)}
    for name in COSTS:
        (middle, low, high), (before, least, most) = spread(new[name]), spread(old[name])
        change = "faster" if high < least else "slower" if low > most else ""
        row |= {name: round(middle / before, 3), f"{name}_change": change}
    return row
