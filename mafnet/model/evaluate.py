"""Evaluation: a trained network on the test subset, once."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.metrics import recall_score

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json, replacing, write_json
from mafnet.model.batches import Reader, predict
from mafnet.model.data import Data, Subset
from mafnet.model.metrics import METRICS, percent
from mafnet.model.networks import network_spec
from mafnet.model.precision import resolve
from mafnet.model.scored import Scored
from mafnet.model.settings import RunSettings, run_settings
from mafnet.model.train import new_network

log = logging.getLogger(__name__)

FIXED_COLUMNS = ("sample", "label", "predicted")
DIGITS = "{:.6g}"
"""Of a probability in predictions.csv."""


def evaluate(
    folder: Path, data: Data, batch_size: int, top_k: int, split: str, device: torch.device
) -> None:
    """Write predictions.csv, attention.npz and metrics.json to a run's folder."""
    settings = run_settings(read_json(folder / "settings.json"))
    _require_same_features(settings, data)
    network = new_network(settings, data)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    subset = data.subset("test")
    precision = resolve(settings.training.precision, device)
    reader = Reader(data, settings.network, device, precision)
    batches = list(predict(network.to(device), reader, subset, batch_size, precision))
    probabilities = as_written(np.concatenate([batch[0].numpy() for batch in batches]))
    attention = np.concatenate([batch[1].numpy() for batch in batches])
    _write_predictions(settings.classes, subset, probabilities, folder / "predictions.csv")
    _write_attention(settings, data, subset, attention, folder / "attention.npz")
    metrics = run_metrics(subset.labels, probabilities, settings.classes, top_k)
    write_json(_about(settings, split) | metrics, folder / "metrics.json")
    log.info("test accuracy %.2f %% of %d samples", metrics["accuracy"], metrics["samples"])


def run_metrics(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], top_k: int
) -> dict:
    """Every metric of a run in its unit, and of each class the share that is found in percent.

    labels: (S,) class indices. probabilities: (S, C). classes: names of the C classes.
    """
    scored = Scored(labels, probabilities, top_k)
    return {
        **{name: metric.value(scored) for name, metric in METRICS.items()},
        "top_k": min(top_k, len(classes)),
        "samples": len(labels),
        "per_class": _per_class(scored, classes),
    }


def _per_class(scored: Scored, classes: Sequence[str]) -> dict[str, dict]:
    """Share found and number of samples of each class; no share where there are no samples."""
    found = recall_score(
        scored.labels, scored.predicted, labels=range(len(classes)), average=None,
        zero_division=np.nan,
    )  # fmt: skip
    support = np.bincount(scored.labels, minlength=len(classes)).tolist()
    return {
        name: {"accuracy": percent(share) if samples else None, "samples": samples}
        for name, share, samples in zip(classes, found, support, strict=True)
    }


def as_written(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (S, C) as predictions.csv has them: six significant digits, float64.

    Metrics are computed on these numbers, so that whoever reads the file gets the same metrics.
    """
    texts = [[DIGITS.format(value) for value in row] for row in probabilities]
    return np.array(texts, dtype=float)


def _about(settings: RunSettings, split: str) -> dict:
    """What the run is, and whether its backbones had random weights."""
    random = [name for name, print_ in settings.features.items() if print_["weights"] == "random"]
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
                f"{data.files[name].path}: these features are not those that the run was trained "
                "on; train it again"
            )


def _write_predictions(
    classes: list[str], subset: Subset, probabilities: np.ndarray, path: Path
) -> None:
    """One row a test sample: its label, the predicted one, the probability of each class."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FIXED_COLUMNS, *(f"p({name})" for name in classes)])
        for sample, row in zip(subset.samples, probabilities, strict=True):
            predicted = classes[row.argmax()]
            fields = [DIGITS.format(value) for value in row]
            writer.writerow([sample.sample, sample.label, predicted, *fields])


def _write_attention(
    settings: RunSettings, data: Data, subset: Subset, attention: np.ndarray, path: Path
) -> None:
    """The scores (S, T, K) of every test sample, beside which clips are valid and who K is."""
    modalities = network_spec(settings.network).modalities
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file,
            sample=np.array([sample.sample for sample in subset.samples]),
            modality=np.array(modalities),
            attention=attention.astype(np.float32),
            valid=data.valid(subset.rows, modalities),
        )
