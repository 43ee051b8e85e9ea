"""Evaluation of a trained network on the test subset."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import recall_score

from mafnet.common.errors import MafnetError
from mafnet.model.batches import Reader, predict
from mafnet.model.config import Evaluation
from mafnet.model.data import Data
from mafnet.model.metrics import METRICS, percent
from mafnet.model.mixed_precision import resolve
from mafnet.model.run_folder import Attention, PredictionTable, RunFolder, as_written
from mafnet.model.scored import Scored
from mafnet.model.settings import RunSettings
from mafnet.model.train import trained_network

log = logging.getLogger(__name__)


def evaluate(
    folder: Path, data: Data, chosen: Evaluation, split: str, device: torch.device
) -> None:
    """Write the predictions, the attention and the metrics of a trained run to its folder."""
    run = RunFolder(folder)
    settings = run.read_settings()
    _require_same_features(settings, data)
    network = trained_network(run, data)
    subset = data.subset("test")
    precision = resolve(settings.training.precision, device)
    reader = Reader(data, settings.inputs, device, precision)
    batches = list(predict(network.to(device), reader, subset, chosen.batch_size, precision))
    probabilities = as_written(np.concatenate([batch[0].numpy() for batch in batches]))
    attention = np.concatenate([batch[1].numpy() for batch in batches])
    samples = [sample.sample for sample in subset.samples]
    predicted = probabilities.argmax(axis=1)
    run.write_predictions(
        PredictionTable(settings.classes, samples, subset.labels, predicted, probabilities)
    )
    valid = data.valid(subset.rows, settings.inputs)
    run.write_attention(Attention(samples, settings.modalities, attention, valid))
    metrics = run_metrics(subset.labels, probabilities, settings.classes, chosen)
    run.write_metrics(about_run(settings, split) | metrics)
    log.info("test accuracy %.2f %% of %d samples", metrics["accuracy"], metrics["samples"])


def run_metrics(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], chosen: Evaluation
) -> dict:
    """Every metric of a run in its unit, and the recall of each class in percent.

    labels: (S,) class indices. probabilities: (S, C). classes: names of the C classes.
    """
    scored = Scored(labels, probabilities, chosen.top_k)
    return {
        **{name: metric.value(scored) for name, metric in METRICS.items()},
        "top_k": min(chosen.top_k, len(classes)),
        "samples": len(labels),
        "per_class": _per_class(scored, classes),
    }


def _per_class(scored: Scored, classes: Sequence[str]) -> dict[str, dict]:
    """Recall and number of samples of each class; the recall is None without samples."""
    found = recall_score(
        scored.labels, scored.predicted, labels=range(len(classes)), average=None,
        zero_division=np.nan,
    )  # fmt: skip
    support = np.bincount(scored.labels, minlength=len(classes)).tolist()
    return {
        name: {"accuracy": percent(share) if samples else None, "samples": samples}
        for name, share, samples in zip(classes, found, support, strict=True)
    }


def about_run(settings: RunSettings, split: str) -> dict:
    """The entries of metrics.json that name the run and its backbones with random weights."""
    features = settings.features.items()
    random = [name for name, fingerprint in features if fingerprint["weights"] == "random"]
    return {
        "split": split,
        "variant": settings.variant,
        "seed": settings.seed,
        "random_weights": random,
        "settings": settings.digest,
    }


def _require_same_features(settings: RunSettings, data: Data) -> None:
    """MafnetError if the features are not those of the training."""
    for name, fingerprint in settings.features.items():
        if data.files[name].fingerprint != fingerprint:
            raise MafnetError(
                f"{data.files[name].path}: these features are not the features that the run was "
                "trained on; train it again"
            )
