"""What is measured: every stage, each in the plain way and in ours."""

from functools import partial

import ways_ours as ours
import ways_plain as plain
from measured import Stage

FLOAT16_ROUNDING = 5e-4
"""float16, in which we keep features, rounds by up to 2^-11 of a value."""

NETWORKS = {"float32": 1e-3, "bfloat16": 0.15}
"""float32: float16's rounding and another order of sums. bfloat16: 8 bits, 200 layers deep; 0.05 to
0.08 was measured for random weights."""

LOSSES = {"float32": 1e-3, "auto": 1e-3}
"""Of the losses of all steps as one vector."""

PROBABILITIES = {"float32": 1e-3, "auto": 1e-2}
"""float16 features; at "auto" also bfloat16 products, where they are used."""

_PRECISIONS = ("float32", "bfloat16")
_TRAINING = ("float32", "auto")

_ALL = (
    Stage(
        "decode picture",
        "all videos",
        {"plain": partial(plain.decode, modality="visual"),
         "ours": partial(ours.decode, modality="visual")},
        rounds=2,
    ),
    Stage(
        "decode sound",
        "all videos",
        {"plain": partial(plain.decode, modality="audio"),
         "ours": partial(ours.decode, modality="audio")},
        rounds=3,
    ),
    Stage(
        "visual network",
        "one video",
        {"plain": partial(plain.network, modality="visual")}
        | {p: partial(ours.network, modality="visual", precision=p) for p in _PRECISIONS},
        NETWORKS,
    ),
    Stage(
        "audio network",
        "one video",
        {"plain": partial(plain.network, modality="audio")}
        | {p: partial(ours.network, modality="audio", precision=p) for p in _PRECISIONS},
        NETWORKS,
        rounds=3,
    ),
    Stage(
        "write",
        "a batch of videos, both modalities",
        {"plain": plain.write, "ours": ours.write},
        {"ours": FLOAT16_ROUNDING},
        rounds=3,
    ),
    Stage("pack", "a batch of videos, both modalities", {"ours": ours.pack}, rounds=3),
    Stage(
        "read",
        "a batch of videos, both modalities",
        {"plain": plain.read, "ours": ours.read},
        {"ours": FLOAT16_ROUNDING},
        rounds=3,
    ),
    Stage(
        "training step",
        "a batch of videos in memory",
        {"plain": plain.train} | {p: partial(ours.train, precision=p) for p in _TRAINING},
        LOSSES,
        rounds=3,
    ),
    Stage(
        "evaluation",
        "a batch of videos, read as well",
        {"plain": plain.evaluate} | {p: partial(ours.evaluate, precision=p) for p in _TRAINING},
        PROBABILITIES,
        rounds=2,
    ),
    Stage(
        "extraction",
        "one video, file to cache, networks built before",
        {"plain": plain.extract} | {p: partial(ours.extract, precision=p) for p in _PRECISIONS},
    ),
    Stage(
        "extraction process",
        "all videos, files to cache, from the start of the process",
        {"plain": plain.extract_process}
        | {p: partial(ours.extract_process, precision=p) for p in _PRECISIONS},
    ),
)  # fmt: skip

STAGES = {stage.name: stage for stage in _ALL}
