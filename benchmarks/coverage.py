"""How often the 95 % intervals of mafnet contain the true value, by simulation.

    python -m benchmarks.coverage --write PAGE

prints the table, and writes it into the page between the comments `coverage`. Networks are
simulated: the logits of a sample are noise plus the quality of the network at the label's class.
The noise has parts of the sample's group, of the sample, and of the sample with the seed; the
quality differs between seeds. The true value is the mean of many seeds on many samples.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.markdown import markdown, write_marked
from mafnet.model.metrics import METRICS
from mafnet.model.scored import Scored
from mafnet.report.statistics import groups
from mafnet.report.statistics.groups import by_group, resamples
from mafnet.report.statistics.intervals import Sampled, metric_interval
from mafnet.report.statistics.two_way import two_way

SHOWN = [name for name in METRICS if name != "top5"]
RESAMPLES = 400
"""Resamples of a bootstrap: fewer than in results, because there are hundreds of intervals."""

TRUE_SAMPLES, TRUE_SEEDS = 5_000, 40
BETTER = 0.4
"""Difference in quality between the two networks of a comparison."""


@dataclass(frozen=True)
class Setting:
    """Test samples in groups of equal size, and the seeds of two networks.

    by_group: share of the noise's variance that a group has in common. by_seed: share that differs
    between seeds. spread: standard deviation of the quality over seeds. counted: False takes each
    sample for a group of its own.
    """

    name: str
    samples: int
    classes: int
    seeds: int
    each: int = 1
    quality: float = 2.0
    by_group: float = 0.0
    by_seed: float = 0.3
    spread: float = 0.25
    counted: bool = True


SETTINGS = [
    Setting("24 samples of 6 classes, 3 seeds (demo)", 24, 6, 3),
    Setting("24 samples of 6 classes, 3 seeds, nearly perfect", 24, 6, 3, quality=4.5),
    Setting("72 samples of 6 classes, 5 seeds (hard demo)", 72, 6, 5),
    Setting("394 samples of 28 classes, 3 seeds (AVE)", 394, 28, 3),
    Setting("394 samples of 28 classes, 1 seed", 394, 28, 1, spread=0),
    Setting("420 clips of 84 recordings, 12 classes, 3 seeds", 420, 12, 3, 5, by_group=0.5),
    Setting("the same, recordings not known", 420, 12, 3, 5, by_group=0.5, counted=False),
]


def labels_of(setting: Setting) -> np.ndarray:
    """(S,) class indices; the samples of a group are neighbours and have the same class."""
    return np.repeat(np.arange(setting.samples // setting.each) % setting.classes, setting.each)


def networks(setting: Setting, generator: np.random.Generator) -> list[list[Scored]]:
    """The runs of two networks, the second one better, on the same samples and seeds."""
    labels = labels_of(setting)
    shape = (setting.samples, setting.classes)
    common = generator.normal(size=(setting.samples // setting.each, setting.classes))
    common = np.sqrt(setting.by_group) * np.repeat(common, setting.each, axis=0)
    rest = 1 - setting.by_group - setting.by_seed
    runs = []
    for better in (0.0, BETTER):
        # Half of a sample's own noise is the same for both networks.
        own = np.sqrt(rest / 2) * generator.normal(size=shape) + common
        runs.append([(better, own)] * setting.seeds)
    both = np.sqrt(rest / 2) * generator.normal(size=shape)
    return [
        [_run(setting, labels, better, own + both, generator) for better, own in network]
        for network in runs
    ]


def _run(
    setting: Setting, labels: np.ndarray, better: float, noise: np.ndarray,
    generator: np.random.Generator,
) -> Scored:  # fmt: skip
    quality = setting.quality + better + setting.spread * generator.normal()
    logits = noise + np.sqrt(setting.by_seed) * generator.normal(size=noise.shape)
    logits = 2 * (logits + quality * np.eye(setting.classes)[labels])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Scored(labels, odds / odds.sum(axis=1, keepdims=True), 5)


def truth(setting: Setting) -> dict[str, float]:
    """The true value of every metric of the first network, and the true difference in accuracy."""
    step = setting.classes * setting.each
    many = replace(setting, samples=TRUE_SAMPLES // step * step, seeds=1)
    generator = np.random.default_rng(0)
    drawn = [networks(many, generator) for _ in range(TRUE_SEEDS)]
    found = {
        name: float(np.mean([METRICS[name].value(first[0]) for first, _ in drawn]))
        for name in SHOWN
    }
    pairs = [second[0].hits.mean() - first[0].hits.mean() for first, second in drawn]
    return found | {"difference": float(np.mean(pairs))}


def covered(setting: Setting, repetitions: int) -> dict[str, float]:
    """The share of the intervals of each metric, and of the difference, with the true value."""
    true, generator = truth(setting), np.random.default_rng(1)
    own = np.arange(setting.samples) // (setting.each if setting.counted else 1)
    labels = labels_of(setting)
    (counts,) = resamples([labels], [own])
    found = [
        dict(_contain(true, networks(setting, generator), counts, own)) for _ in range(repetitions)
    ]
    return {name: float(np.mean([one[name] for one in found])) for name in true}


def _contain(
    true: dict[str, float], runs: Sequence[Sequence[Scored]], counts: np.ndarray, own: np.ndarray
) -> Iterator[tuple[str, bool]]:
    """For each metric, and the difference, whether the interval contains the true value."""
    first, second = runs
    sampled = [Sampled(first, counts, own)]
    for name in SHOWN:
        metric = METRICS[name]
        mean = float(np.mean([metric.value(run) for run in first]))
        interval = metric_interval(metric, mean, sampled)
        yield name, interval.low <= true[name] <= interval.high
    hits = [np.array([run.hits for run in network], float) for network in (second, first)]
    estimate = two_way([by_group([hits[0] - hits[1]], [own])])
    yield "difference", abs(estimate.mean - true["difference"]) <= estimate.half_width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--repetitions", type=int, default=300, help="of each setting (300)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into a page")
    arguments = parser.parse_args()
    groups.RESAMPLES = RESAMPLES
    names = ["difference", *SHOWN]
    titles = ["difference in accuracy", *(METRICS[name].title.lower() for name in SHOWN)]
    rows = []
    for setting in SETTINGS:
        found = covered(setting, arguments.repetitions)
        rows.append([setting.name, *(f"{100 * found[name]:.0f}" for name in names)])
        sys.stderr.write(f"{rows[-1]}\n")
    text = markdown(["setting", *titles], rows)
    sys.stdout.write(text + "\n")
    if arguments.write:
        write_marked("coverage", text, arguments.write)


if __name__ == "__main__":
    main()
