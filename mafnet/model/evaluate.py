"""Evaluation of a trained network: metrics on the test subset, predictions on val too."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import recall_score

from mafnet.common.devices import described
from mafnet.common.errors import MafnetError
from mafnet.model.batches import Reader, predict
from mafnet.model.calibration import fit_temperature
from mafnet.model.config import Evaluation
from mafnet.model.data import Data, Subset
from mafnet.model.metrics import METRICS, percent
from mafnet.model.mixed_precision import resolve
from mafnet.model.networks.blocks import Network
from mafnet.model.predictions import PredictionTable, as_written
from mafnet.model.run_folder import Attention, RunFolder
from mafnet.model.scored import Scored
from mafnet.model.settings import RunSettings
from mafnet.model.train import trained_network

log = logging.getLogger(__name__)


def evaluate(
    folder: Path, data: Data, chosen: Evaluation, split: str, device: torch.device
) -> None:
    """Write the predictions, the attention and the metrics of a trained run to its folder.

    Choices between variants belong on the validation subset, so its predictions are kept too.
    """
    run = RunFolder(folder)
    settings = run.read_settings()
    _require_same_features(settings, data)
    network = trained_network(run, data).to(device)
    settings = settings.with_precision(resolve(settings.training.precision, device))
    reader = Reader(data, settings.inputs, device, settings.training.precision)
    test, validation = data.subset("test"), data.subset("val")
    found, attention = _predictions(network, reader, test, chosen.batch_size, settings)
    chosen_on, _ = _predictions(network, reader, validation, chosen.batch_size, settings)
    run.write_predictions(found)
    run.write_predictions(chosen_on, "val")
    valid = data.valid(test.rows, settings.inputs)
    run.write_attention(Attention(found.samples, settings.modalities, attention, valid))
    on_validation = validation_metrics(chosen_on)
    temperature = on_validation["temperature"]
    metrics = run_metrics(found.labels, found.probabilities, settings.classes, chosen, temperature)
    for name in data.untrained():
        metrics["per_class"][name]["accuracy"] = None  # a hit would only be chance
    about = about_run(settings, split, described(device)) | on_validation
    run.write_metrics(about | {"in_train": data.in_train(test)} | metrics)
    log.info("test accuracy %.2f %% of %d samples", metrics["accuracy"], metrics["samples"])


def _predictions(
    network: Network, reader: Reader, subset: Subset, batch_size: int, settings: RunSettings
) -> tuple[PredictionTable, np.ndarray]:
    """The predictions for a subset and the attention (S, T, K)."""
    precision = settings.training.precision
    batches = list(predict(network, reader, subset, batch_size, precision))
    probabilities = as_written(np.concatenate([batch[0].numpy() for batch in batches]))
    table = PredictionTable.of_samples(
        settings.classes, subset.samples, subset.labels, probabilities
    )
    return table, np.concatenate([batch[1].numpy() for batch in batches])


def validation_metrics(found: PredictionTable) -> dict:
    """What the validation subset decides: accuracy in percent, samples, temperature."""
    right = found.predicted == found.labels
    temperature, note = fit_temperature(found.labels, found.probabilities)
    return {
        "val_accuracy": percent(right.mean()),
        "val_samples": len(right),
        "temperature": temperature,
        "temperature_note": note,
    }


def run_metrics(
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    chosen: Evaluation,
    temperature: float = 1.0,
) -> dict:
    """Every metric of a run in its unit, and the recall of each class in percent.

    A metric without meaning for the run is None. labels: (S,) class indices. probabilities: (S, C).
    classes: names of the C classes. temperature: of the calibration.
    """
    scored = Scored(labels, probabilities, chosen.top_k, temperature)
    return {
        **{name: metric.value(scored) for name, metric in METRICS.items()},
        "top_k": chosen.top_k,
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


def about_run(settings: RunSettings, split: str, device: str) -> dict:
    """The entries of metrics.json that name the run, its backbones and its arithmetic.

    device: that evaluates, with its card.
    """
    features = settings.features.items()
    random = [name for name, fingerprint in features if fingerprint["weights"] == "random"]
    return {
        "split": split,
        "variant": settings.variant,
        "seed": settings.seed,
        "random_weights": random,
        "settings": settings.digest,
        "precision": settings.training.precision,
        "trained_on": settings.device or None,
        "evaluated_on": device,
    }


def _require_same_features(settings: RunSettings, data: Data) -> None:
    """MafnetError if the features are not those of the training."""
    for name, fingerprint in settings.features.items():
        if data.files[name].fingerprint != fingerprint:
            raise MafnetError(
                f"{data.files[name].path}: these features are not the features that the run was "
                "trained on; train it again"
            )
