"""The table of metrics. Evaluation, summary, schemas, studies and pages loop over it.

A new metric is one entry of METRICS and no other change. tests/test_model_metrics.py then checks
its interval.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from operator import attrgetter
from typing import Any

import numpy as np

from mafnet.model import metric_values as values
from mafnet.model import resampled
from mafnet.model.scored import Scored


class IntervalMethod(StrEnum):
    """How a metric's 95 % interval is computed; the value is the text that results show.

    WILSON: score interval, only for a mean of hits (0 or 1); the variance over seeds
        reduces the number of samples in the formula.
    PERCENTILE: quantiles of the metric over resamples.
    BASIC: the same quantiles, mirrored at the mean. Mean average precision is too high if classes
        have few samples, and resampling adds the same bias again. Mirroring removes it.
    DISTANCE: the mean plus or minus the 95 % quantile of a distance that the metric cannot exceed.
        A calibration error is a sum of absolute values, so noise makes it larger, in the samples
        and again in each resample. Quantiles of the metric itself would miss the true value.
    """

    WILSON = "Wilson, over seeds and test samples"
    PERCENTILE = "percentile bootstrap within classes, widened by the variance over seeds"
    BASIC = "basic bootstrap within classes, widened by the variance over seeds"
    DISTANCE = "bootstrap of the distance between calibration curves, over test samples"


class Unit(Enum):
    """Unit of results: symbol, factor that converts a function's value, largest value."""

    PERCENT = ("%", 100, 100)
    NATS = ("nats", 1, None)

    def __init__(self, symbol: str, factor: float, maximum: float | None) -> None:
        self.symbol, self.factor, self.maximum = symbol, factor, maximum


def always(scored: Scored) -> bool:
    """True: most metrics have a meaning for every run."""
    return True


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of a run on its test samples.

    title: as a heading; `{top_k}` stands for the number of classes that count as a hit.
    function: the metric of a run on its test samples: a share (0 to 1) or nats.
    interval: method of the 95 % interval.
    higher_is_better: False for errors and losses.
    unit, decimals: of the results. minimum: least possible value, in the unit.
    description: one or two sentences, for pages and schemas.
    resampled: function of the run and counts (B, S) that returns the metric of each resample (B,),
        or its distance if the method is DISTANCE. Without it `function` is called for each.
    hits: function of the run that returns (S,) True for the samples that count; for WILSON.
    by_class: classes have equal weights in the mean of the hits; else samples have.
    applies: function of the run that returns False if the metric has no meaning for it. Its value
        is then None.
    """

    title: str
    function: Callable[[Scored], float]
    interval: IntervalMethod
    higher_is_better: bool
    unit: Unit
    decimals: int
    description: str
    minimum: float = 0
    resampled: Callable[[Scored, np.ndarray], np.ndarray] | None = None
    hits: Callable[[Scored], np.ndarray] | None = None
    by_class: bool = False
    applies: Callable[[Scored], bool] = always

    def __post_init__(self) -> None:
        if not isinstance(self.interval, IntervalMethod):
            raise TypeError(f"{self.title}: the interval's method {self.interval!r} is unknown")
        if self.interval is IntervalMethod.DISTANCE and self.resampled is None:
            raise TypeError(f"{self.title}: the method DISTANCE needs a function `resampled`")
        if self.interval is IntervalMethod.WILSON and self.hits is None:
            raise TypeError(f"{self.title}: the method WILSON needs a function `hits`")

    def value(self, scored: Scored) -> float | None:
        """The metric of a run, in its unit and rounded; None if it has no meaning for the run."""
        return self.shown(self.function(scored)) if self.applies(scored) else None

    def shown(self, value: float) -> float:
        """A function's value in the metric's unit, within its range and rounded."""
        return self.rounded(np.clip(self.unit.factor * value, self.minimum, self.unit.maximum))

    def rounded(self, value: float) -> float:
        """A value in the metric's unit with the metric's decimals."""
        return round(float(value), self.decimals)

    def draws(self, scored: Scored, counts: np.ndarray) -> np.ndarray:
        """(B,) the metric, or its distance, of each resample.

        counts: (B, S) how often each sample occurs in each resample.
        """
        if self.resampled is not None:
            return self.resampled(scored, counts)
        rows = np.arange(counts.shape[1])
        taken = (np.repeat(rows, row.astype(int)) for row in counts)
        return np.array([self.function(scored.take(chosen)) for chosen in taken])

    def sample_weights(self, scored: Scored) -> np.ndarray:
        """(S,) weights of the samples in the mean of the hits; their sum is 1."""
        if not self.by_class:
            return np.full(len(scored.labels), 1 / len(scored.labels))
        _, own, sizes = np.unique(scored.labels, return_inverse=True, return_counts=True)
        return 1 / (len(sizes) * sizes[own])

    def named(self, top_k: int) -> str:
        """The title, with the number of classes that count as a hit."""
        return self.title.format(top_k=top_k)

    @property
    def number(self) -> dict:
        """JSON schema of a value that is not None."""
        limits = {"type": "number", "minimum": self.minimum}
        return limits if self.unit.maximum is None else limits | {"maximum": self.unit.maximum}


def percent(share: float) -> float:
    """A share (0 to 1) in percent, with two decimals."""
    return round(100 * float(share), 2)


def after_calibration(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a run (and of counts) for the run with calibrated probabilities."""
    return lambda scored, *counts: function(scored.calibrated, *counts)


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        function=values.accuracy,
        interval=IntervalMethod.WILSON,
        hits=attrgetter("hits"),
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Share of the test samples whose most probable class is the label.",
    ),
    "balanced_accuracy": Metric(
        title="Balanced accuracy",
        function=values.balanced_accuracy,
        interval=IntervalMethod.WILSON,
        hits=attrgetter("hits"),
        by_class=True,
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Mean over the classes of the share of their test samples that are predicted "
        "correctly. Classes without a test sample are left out.",
        resampled=resampled.recalls,
    ),
    "top5": Metric(
        title="Top-{top_k} accuracy",
        function=values.top_k_accuracy,
        interval=IntervalMethod.WILSON,
        hits=values.top_k_hits,
        applies=values.has_more_classes,
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Share of the test samples whose label is among the k most probable classes; "
        "equal probabilities are no hit. The config's model.evaluation.top_k is k, 5 by default. "
        "Null if there are k classes or fewer.",
    ),
    "macro_f1": Metric(
        title="Macro F1",
        function=values.macro_f1,
        interval=IntervalMethod.PERCENTILE,
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Mean over the classes of the harmonic mean of precision and recall. "
        "Classes without a test sample are left out.",
        resampled=resampled.f1_scores,
    ),
    "mean_average_precision": Metric(
        title="Mean average precision",
        function=values.mean_average_precision,
        interval=IntervalMethod.BASIC,
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Mean over the classes of the average precision with which the class's "
        "probability ranks its test samples above all others. "
        "Classes without a test sample are left out.",
        resampled=resampled.average_precisions,
    ),
    "expected_calibration_error": Metric(
        title="Expected calibration error",
        function=values.calibration_error,
        interval=IntervalMethod.DISTANCE,
        higher_is_better=False,
        unit=Unit.PERCENT,
        decimals=2,
        description="Distance between confidence (probability of the most probable class) and "
        f"accuracy, mean over {resampled.CALIBRATION_BINS} equal-width bins of confidence, each "
        "weighted by its test samples. With few test samples it is too high.",
        resampled=resampled.calibration_distances,
    ),
    "negative_log_likelihood": Metric(
        title="Negative log-likelihood",
        function=values.negative_log_likelihood,
        interval=IntervalMethod.PERCENTILE,
        higher_is_better=False,
        unit=Unit.NATS,
        decimals=3,
        description="Mean over the test samples of minus the natural logarithm of the label's "
        "probability. Probabilities below 2.2e-16 count as 2.2e-16.",
        resampled=resampled.negative_log_likelihoods,
    ),
}
"""Every metric by its key in metrics.json, in the order of tables."""

METRICS |= {
    f"calibrated_{name}": replace(
        METRICS[name],
        title=f"{METRICS[name].title}, calibrated",
        function=after_calibration(METRICS[name].function),
        resampled=after_calibration(METRICS[name].resampled),
        description="The same of the probabilities that `mafnet predict` gives: calibrated by a "
        "temperature that is chosen on the validation subset. If there is none (all validation "
        "samples are right, for example), the value is that before calibration.",
    )
    for name in ("expected_calibration_error", "negative_log_likelihood")
}
