"""The candidates of `head_search.py` by name; docs/mafnet_plus.md has their results."""

from dataclasses import replace

from benchmarks.head_pieces import Pieces

TWO, SUM = ("visual", "audio"), ("visual", "audio", "sum")

FINAL = Pieces(
    inputs="layer", norm="batch", attention="cross", parts=SUM, drop_hidden=0.5, steps=400
)
"""The network `mafnet_plus` with the default training."""

CANDIDATES: dict[str, Pieces | str] = {
    "mafnet": "mafnet 128",
    "mafnet 512": "mafnet 512",
    "logistic regression": "logistic_regression",
    "mafnet_plus": FINAL,
    # One piece less, or another in its place.
    "without layer normalisation of the features": replace(FINAL, inputs="none"),
    "without batch normalisation": replace(FINAL, norm="none"),
    "without dropout": replace(FINAL, drop_hidden=0.0),
    "scores of one modality": replace(FINAL, attention="each"),
    "one attention over both modalities": replace(FINAL, attention="joint"),
    "mean over time": replace(FINAL, attention="mean"),
    "without the sum": replace(FINAL, parts=TWO),
    "a classifier of both for the sum": replace(FINAL, parts=("visual", "audio", "both")),
    "only a classifier of both": replace(FINAL, parts=("both",)),
    # One piece more.
    "square roots of the features": replace(FINAL, inputs="root"),
    "features standardised over the set": replace(FINAL, inputs="standard"),
    "without hidden layer": replace(FINAL, hidden=0),
    "hidden 512": replace(FINAL, hidden=512),
    "0.3 of the features dropped": replace(FINAL, drop_features=0.3),
    "0.2 of the modalities dropped": replace(FINAL, drop_modality=0.2),
    "noise of 0.5 on the features": replace(FINAL, noise=0.5),
    "mixup 0.4": replace(FINAL, mixup=0.4),
    "label smoothing 0.1": replace(FINAL, smoothing=0.1),
    "weight decay 1": replace(FINAL, weight_decay=1.0),
    "averaged weights 0.98": replace(FINAL, average=0.98),
    "four heads of attention": replace(FINAL, attention="heads"),
    "a transformer layer": replace(FINAL, attention="transformer"),
    "four networks": replace(FINAL, members=4),
    "learning rate 3e-4": replace(FINAL, learning_rate=3e-4),
    "learning rate 3e-3": replace(FINAL, learning_rate=3e-3),
}
