"""The mark of networks whose published weights were trained on the clips of the data set."""

from collections.abc import Mapping, Sequence

from mafnet.model.video import PRETRAINED
from mafnet.report.protocol import paper_name
from mafnet.report.statistics.runs import Run

MARK = "†"
NOTE = (
    f"{MARK} The published weights were trained on Kinetics-400, which has the training videos of "
    "this data set with their labels."
)
OVERLAPS = {PRETRAINED: ("kinetics_sounds",)}
"""Names of weights -> data sets whose training clips they have seen."""

COLUMNS = ("clip_accuracy", "pretrained", "seen_in_pretraining")
"""Columns of a study that only video networks fill; studies of earlier versions lack them."""


def pretraining_columns(dataset: str, runs: Sequence[Run], protocol: Mapping) -> dict:
    """The columns of a variant: accuracy of single clips in percent, weights, yes or nothing."""
    found = [run.metrics for run in runs if "pretrained" in run.metrics]
    if not found:
        return {}
    weights = found[0]["pretrained"]
    seen = paper_name(dataset, protocol) in OVERLAPS.get(weights, ())
    clips = sum(metrics["clip_accuracy"] for metrics in found) / len(found)
    return dict(zip(COLUMNS, (round(clips, 2), weights, "yes" if seen else ""), strict=True))


def pretraining_notes(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The explanation of the mark, if a row has it."""
    return [NOTE] if any(row["seen_in_pretraining"] == "yes" for row in rows) else []
