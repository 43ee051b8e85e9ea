"""The table of metrics. Evaluation, summary, schemas, studies and pages loop over it.

A new metric is one entry of METRICS and no other change. tests/test_model_metrics.py then checks
its interval.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from operator import attrgetter

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    recall_score,
)

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


def accuracy(scored: Scored) -> float:
    """Share of the samples whose most probable class is the label."""
    return accuracy_score(scored.labels, scored.predicted)


def balanced_accuracy(scored: Scored) -> float:
    """Mean recall over the classes that have samples.

    balanced_accuracy_score gives the same, and warns if a class without samples is predicted.
    """
    return recall_score(scored.labels, scored.predicted, **_over_classes(scored))


def macro_f1(scored: Scored) -> float:
    """Mean F1 over the classes that have samples."""
    return f1_score(scored.labels, scored.predicted, **_over_classes(scored))


def _over_classes(scored: Scored) -> dict:
    return {"labels": scored.classes, "average": "macro", "zero_division": 0}


def top_k_accuracy(scored: Scored) -> float:
    """Share of the samples whose label is surely among the k most probable classes.

    scikit-learn's top_k_accuracy_score ranks equal probabilities by the order of the classes.
    """
    return float(np.mean(top_k_hits(scored)))


def top_k_hits(scored: Scored) -> np.ndarray:
    """(S,) True where fewer than k other classes are as probable as the label, or more.

    A tie is no hit: a network that gives all classes the same probability has not ranked them.
    """
    return (scored.probabilities >= scored.own[:, None]).sum(axis=1) <= scored.top_k


def has_more_classes(scored: Scored) -> bool:
    """True if there are more than k classes; otherwise every sample is a top-k hit."""
    return scored.probabilities.shape[1] > scored.top_k


def mean_average_precision(scored: Scored) -> float:
    """Mean over the classes that have samples of the average precision of one against the rest."""
    labels, probabilities = scored.labels, scored.probabilities
    return float(np.mean([
        average_precision_score(labels == index, probabilities[:, index])
        for index in scored.classes
    ]))  # fmt: skip


def calibration_error(scored: Scored) -> float:
    """Mean distance between accuracy and confidence over bins of confidence (Guo et al. 2017)."""
    every = np.ones((1, len(scored.labels)))
    return float(np.abs(resampled.calibration_gaps(scored, every)).sum())


def negative_log_likelihood(scored: Scored) -> float:
    """Mean of minus the natural logarithm of the label's probability."""
    # log_loss refuses a single class. One more class without samples changes nothing.
    probabilities = np.pad(scored.normalised, ((0, 0), (0, 1)))
    return log_loss(scored.labels, probabilities, labels=range(probabilities.shape[1]))


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        function=accuracy,
        interval=IntervalMethod.WILSON,
        hits=attrgetter("hits"),
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Share of the test samples whose most probable class is the label.",
    ),
    "balanced_accuracy": Metric(
        title="Balanced accuracy",
        function=balanced_accuracy,
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
        function=top_k_accuracy,
        interval=IntervalMethod.WILSON,
        hits=top_k_hits,
        applies=has_more_classes,
        higher_is_better=True,
        unit=Unit.PERCENT,
        decimals=2,
        description="Share of the test samples whose label is among the k most probable classes; "
        "equal probabilities are no hit. The config's model.evaluation.top_k is k, 5 by default. "
        "Null if there are k classes or fewer.",
    ),
    "macro_f1": Metric(
        title="Macro F1",
        function=macro_f1,
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
        function=mean_average_precision,
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
        function=calibration_error,
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
        function=negative_log_likelihood,
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
