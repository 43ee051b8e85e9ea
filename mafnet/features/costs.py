"""What the networks cost: CPU time of one second of video, without decoding."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mafnet.common.devices import processor
from mafnet.common.files import replacing
from mafnet.common.resources import table
from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.backbones.spec import BackboneSpec, VisualBackbone
from mafnet.features.config import FeatureSettings
from mafnet.video.config import VideoSection

COSTS = "costs.tsv"
"""In resources/: milliseconds of each backbone on one machine, by `mafnet backbones --write`."""

ROUNDS = 5
"""The least of so many calls counts: other programs only make a call slower."""


def known_costs() -> dict[str, dict[str, str]]:
    """The rows of resources/costs.tsv by backbone."""
    return {row["backbone"]: row for row in table(COSTS)}


def measured(name: str) -> dict[str, str]:
    """The row of a backbone on this machine: one thread, float32, random weights."""
    from mafnet.features.backends import choose_backend

    features = FeatureSettings(backbone=name, weights="random")
    return {
        "backbone": name,
        "cpu_ms": _three_digits(1000 * _cpu_seconds(features)),
        "backend": choose_backend(features, "cpu"),
        "processor": processor(),
    }


def _three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"


def write_costs(rows: list[dict[str, str]], path: Path) -> None:
    """Write measured rows as resources/costs.tsv has them."""
    lines = ["\t".join(values) for values in (rows[0], *(row.values() for row in rows))]
    with replacing(path) as beside:
        beside.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _cpu_seconds(features: FeatureSettings) -> float:
    from safetensors.torch import save_file

    from mafnet.features.backends import build_backbone

    network, clip = frozen_network(features.backbone), noise(backbone_spec(features.backbone))
    weights = network.calibrate(network.random_weights(0), [clip])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({key: value.contiguous() for key, value in weights.items()}, path)
        compute = build_backbone(features, path, "cpu", threads=1)
        compute.start_worker(1)
        clips = np.concatenate([clip] * compute.batch)
        compute(clips)
        return min(_cpu_time(compute, clips) for _ in range(ROUNDS)) / compute.batch


def _cpu_time(compute: object, clips: np.ndarray) -> float:
    start = time.process_time()
    compute(clips)
    return time.process_time() - start


def noise(spec: BackboneSpec) -> np.ndarray:
    """One clip of noise (1, ...) as decoders return it, with the usual number of frames."""
    generator = np.random.default_rng(0)
    if isinstance(spec, VisualBackbone):
        shape = (1, VideoSection().frames_per_clip, spec.side, spec.side, 3)
        return generator.integers(0, 256, shape, np.uint8)
    samples = round(spec.sample_rate * spec.window_seconds)
    return generator.integers(-9000, 9000, (1, samples)).astype(np.int16)
