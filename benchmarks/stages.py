"""The stages that are measured, each in the plain way and by mafnet."""

from collections.abc import Callable
from functools import partial

from benchmarks import ways_ours as ours
from benchmarks import ways_plain as plain
from benchmarks.measured import Ready, SetUp, Stage

FEATURES = ("float32", "bfloat16")
"""Values of features.*.precision."""

TRAINING = ("float32", "auto")
"""Values of model.training.precision."""

ROUNDED = {"ours": 5e-4}
"""mafnet stores features as float16, which rounds by up to 2^-11 of a value."""

NETWORKS = {"float32": 1e-3, "bfloat16": 0.15}
"""float32: rounding to float16, and another order of sums. bfloat16 has 8 bits, and there are 200
layers: 0.05 to 0.08 was measured with random weights."""

LOSSES = {"float32": 1e-3, "auto": 1e-2}
"""For the losses of all steps as one vector. float32: features are float16. "auto" may use bfloat16
for matrix products: the difference is below 1e-3 with batches of 32, but 2e-3 with the small
batches of --quick, because the logits are normalised over few rows."""

PROBABILITIES = {"float32": 1e-3, "auto": 1e-2}
"""Features are float16; "auto" may use bfloat16 for matrix products."""


def both(set_up: str, **options: object) -> dict[str, SetUp]:
    """The plain way and ours: the function with this name in each of the two modules."""
    return {
        "plain": partial(getattr(plain, set_up), **options),
        "ours": partial(getattr(ours, set_up), **options),
    }


def each(set_up: str, precisions: tuple[str, ...], **options: object) -> dict[str, SetUp]:
    """The plain way, and ours at each precision."""
    own: Callable[..., Ready] = getattr(ours, set_up)
    ways = {precision: partial(own, precision=precision, **options) for precision in precisions}
    return {"plain": partial(getattr(plain, set_up), **options)} | ways


BATCH = "a batch of videos, both modalities"

PAPERS = "paper's pair"

PAIRS = {
    "plain": plain.extract,
    PAPERS: partial(ours.extract, precision="float32"),
    "small pair": partial(ours.extract, precision="float32", small=True),
    "small, 4 frames": partial(ours.extract, precision="float32", small=True, frames=4),
}
"""Pairs of networks: densenet201 and vggish (also `plain`), efficientnet_lite0 and yamnet.
The last way has 4 frames a second instead of 16, as `mafnet new` chooses."""

_ALL = (
    Stage("decode frames", "all videos", both("decode", modality="visual"), rounds=2),
    Stage("decode audio", "all videos", both("decode", modality="audio"), rounds=3),
    Stage(
        "visual network",
        "one video",
        each("network", FEATURES, modality="visual", videos=1),
        NETWORKS,
    ),
    Stage(
        "audio network",
        "four videos",
        each("network", FEATURES, modality="audio", videos=4),
        NETWORKS,
        rounds=2,
    ),
    Stage("write", BATCH, both("write"), ROUNDED, rounds=3),
    Stage("pack", BATCH, {"ours": ours.pack}, rounds=3),
    Stage("read", BATCH, both("read"), ROUNDED, rounds=3),
    Stage("training step", "a batch in memory", each("train", TRAINING), LOSSES, rounds=3),
    Stage("evaluation", "a batch, read as well", each("evaluate", TRAINING), PROBABILITIES, 2),
    Stage("extraction", "one video, file to cache, networks ready", each("extract", FEATURES)),
    Stage(
        "pairs of networks",
        "one video, file to cache, networks ready",
        PAIRS,
        reference=PAPERS,
    ),
    Stage(
        "extraction process",
        "all videos, file to cache, from the start of the process",
        each("extract_process", FEATURES),
    ),
)

STAGES = {stage.name: stage for stage in _ALL}
