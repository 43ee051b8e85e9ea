"""What is measured: every stage, each in the plain way and in ours."""

from collections.abc import Callable
from functools import partial

import ways_ours as ours
import ways_plain as plain
from measured import Ready, SetUp, Stage

FEATURES = ("float32", "bfloat16")
"""Of features.*.precision."""

TRAINING = ("float32", "auto")
"""Of model.training.precision."""

ROUNDED = {"ours": 5e-4}
"""float16, in which we keep features, rounds by up to 2^-11 of a value."""

NETWORKS = {"float32": 1e-3, "bfloat16": 0.15}
"""float32: float16's rounding and another order of sums. bfloat16: 8 bits, 200 layers deep; 0.05 to
0.08 was measured for random weights."""

LOSSES = {"float32": 1e-3, "auto": 1e-2}
"""Of the losses of all steps as one vector. float32: features are float16. "auto" may take bfloat16
for its products: below 1e-3 in batches of 32, but 2e-3 in those of --quick, over whose few rows the
logits are normalised."""

PROBABILITIES = {"float32": 1e-3, "auto": 1e-2}
"""float16 features; "auto" may take bfloat16 for its products."""


def both(set_up: str, **options: object) -> dict[str, SetUp]:
    """The plain way and ours, by the function of that name in either module."""
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

_ALL = (
    Stage("decode picture", "all videos", both("decode", modality="visual"), rounds=2),
    Stage("decode sound", "all videos", both("decode", modality="audio"), rounds=3),
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
        "extraction process",
        "all videos, file to cache, from the start of the process",
        each("extract_process", FEATURES),
    ),
)

STAGES = {stage.name: stage for stage in _ALL}
