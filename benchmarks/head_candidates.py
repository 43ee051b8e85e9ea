"""The candidates of `head_search.py` by name; docs/mafnet_plus.md has their results."""

from dataclasses import replace

from benchmarks.head_pieces import Pieces

TWO, SUM = ("visual", "audio"), ("visual", "audio", "sum")

ONE = Pieces(inputs="layer", norm="batch", attention="cross", parts=SUM, drop_hidden=0.5, steps=400)
"""One of the four networks of `mafnet_plus`, with the default training."""

CANDIDATES: dict[str, Pieces | str] = {
    "mafnet": "mafnet 128",
    "mafnet 512": "mafnet 512",
    "logistic regression": "logistic_regression",
    "mafnet_plus": replace(ONE, members=4),
    "one network": ONE,
    # One piece less, or another in its place.
    "without layer normalisation of the features": replace(ONE, inputs="none"),
    "without batch normalisation": replace(ONE, norm="none"),
    "without dropout": replace(ONE, drop_hidden=0.0),
    "scores of one modality": replace(ONE, attention="each"),
    "one attention over both modalities": replace(ONE, attention="joint"),
    "mean over time": replace(ONE, attention="mean"),
    "without the sum": replace(ONE, parts=TWO),
    "a classifier of both for the sum": replace(ONE, parts=("visual", "audio", "both")),
    "only a classifier of both": replace(ONE, parts=("both",)),
    # One piece more.
    "square roots of the features": replace(ONE, inputs="root"),
    "0.3 of the features dropped": replace(ONE, drop_features=0.3),
    "0.2 of the modalities dropped": replace(ONE, drop_modality=0.2),
    "noise of 0.5 on the features": replace(ONE, noise=0.5),
    "mixup 0.4": replace(ONE, mixup=0.4),
    "label smoothing 0.1": replace(ONE, smoothing=0.1),
    "weight decay 1": replace(ONE, weight_decay=1.0),
    "averaged weights 0.98": replace(ONE, average=0.98),
    "four heads of attention": replace(ONE, attention="heads"),
    "a transformer layer": replace(ONE, attention="transformer"),
    "learning rate 3e-4": replace(ONE, learning_rate=3e-4),
    "learning rate 3e-3": replace(ONE, learning_rate=3e-3),
}
