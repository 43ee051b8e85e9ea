"""The candidates of `head_search.py` by name."""

from dataclasses import replace

from benchmarks.head_pieces import Pieces

ONE, TWO, THREE = ("both",), ("visual", "audio"), ("visual", "audio", "both")

FINAL = Pieces(
    inputs="layer", norm="batch", attention="each", parts=THREE, drop_hidden=0.5, steps=400
)
"""The network `mafnet_plus` with the default training."""

FIRST = Pieces(
    inputs="layer", attention="each", parts=THREE, drop_features=0.2, drop_hidden=0.5,
    weight_decay=1.0, average=0.98,
)  # fmt: skip
SECOND = replace(FIRST, parts=TWO, learning_rate=3e-3)
LINEAR = replace(SECOND, hidden=0, learning_rate=1e-3)

CANDIDATES: dict[str, Pieces | str] = {
    "mafnet": "mafnet 128",
    "mafnet 512": "mafnet 512",
    "logistic regression": "logistic_regression",
    "mafnet_plus": FINAL,
    "without dropout": replace(FINAL, drop_hidden=0.0),
    "one classifier": replace(FINAL, parts=ONE),
    "two classifiers": replace(FINAL, parts=TWO),
    "one attention": replace(FINAL, attention="joint"),
    "without batch normalisation": replace(FINAL, norm="none"),
    "without layer normalisation": replace(FINAL, inputs="none"),
    "two classifiers, one attention, no batch normalisation": replace(
        FINAL, parts=TWO, attention="joint", norm="none"
    ),
    "the same without dropout": replace(
        FINAL, parts=TWO, attention="joint", norm="none", drop_hidden=0.0
    ),
    "first": FIRST,
    "first, one classifier": replace(FIRST, parts=ONE),
    "first, two classifiers": replace(FIRST, parts=TWO),
    "first, no attention": replace(FIRST, attention="mean"),
    "first, one attention": replace(FIRST, attention="joint"),
    "first, no averaged weights": replace(FIRST, average=0.0),
    "first, no dropout": replace(FIRST, drop_hidden=0.0),
    "second": SECOND,
    "second, mixup": replace(SECOND, mixup=0.4),
    "second, no dropped features": replace(SECOND, drop_features=0.0),
    "second, half of the features dropped": replace(SECOND, drop_features=0.5),
    "second, no dropout": replace(SECOND, drop_hidden=0.0),
    "second, attention for each class": replace(SECOND, attention="classes"),
    "second, four heads of attention": replace(SECOND, attention="heads"),
    "second, no attention": replace(SECOND, attention="mean"),
    "second, one attention": replace(SECOND, attention="joint"),
    "second, three classifiers": replace(SECOND, parts=THREE),
    "second, four networks": replace(SECOND, members=4),
    "linear": LINEAR,
    "linear, square roots of length 1": replace(LINEAR, inputs="root"),
}
"""Not all were run: docs/mafnet_plus.md has those that were."""
