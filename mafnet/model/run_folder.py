"""A run: results/{dataset}/{split}/{variant}/seed{seed}/. Only this module knows its files.

`train` writes model.safetensors, settings.json and history.csv, and resume.pt while it is not
finished. `evaluate` writes predictions.csv, predictions_val.csv, attention.npz and metrics.json.
Torch is imported only where weights are written or read.
"""

import csv
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import (
    digest_of,
    read_json,
    remove,
    replacing,
    require_unchanged,
    write_json,
)
from mafnet.model.calibration import Calibration
from mafnet.model.predictions import PredictionTable
from mafnet.model.settings import RunSettings, run_settings

if TYPE_CHECKING:
    from torch import Tensor


class Epoch(NamedTuple):
    """One row of history.csv.

    epoch: counted from 1. loss: mean over the steps of the epoch, in nats. val_loss: mean over the
    validation samples, in nats. val_accuracy: 0 to 1. best: 1 if the weights of this epoch are
    better than those of all epochs before, else 0. The last such epoch has the weights of the run.
    """

    epoch: int
    loss: float
    val_loss: float
    val_accuracy: float
    best: int


@dataclass(frozen=True)
class Attention:
    """The attention scores of every test sample.

    samples: names (S,). modalities: names (K,). weights: (S, T, K) float32, sum 1 over T and K.
    valid: (S, T, K), False where a clip is padding.
    """

    samples: Sequence[str]
    modalities: Sequence[str]
    weights: np.ndarray
    valid: np.ndarray

    def of(self, sample: str) -> tuple[np.ndarray, np.ndarray]:
        """Scores and validity (T, K) of one sample."""
        index = self.samples.index(sample)
        return self.weights[index], self.valid[index]


class RunFolder:
    """The files of one run; each is written completely or not at all.

    A file that cannot be read is a MafnetError that names it and the step to repeat.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.weights = path / "model.safetensors"  # of the best epoch
        self.settings = path / "settings.json"
        self.history = path / "history.csv"  # one row an epoch
        self.resume = path / "resume.pt"  # exists while the training is not finished
        self.predictions = path / "predictions.csv"  # one row a test sample
        self.predictions_val = path / "predictions_val.csv"  # one row a validation sample
        self.attention = path / "attention.npz"
        self.metrics = path / "metrics.json"  # workflow/schemas/run.schema.json describes it

    @property
    def split(self) -> str:
        """The split, from the path."""
        return self.path.parent.parent.name

    @property
    def variant(self) -> str:
        """The variant, from the path."""
        return self.path.parent.name

    @property
    def seed(self) -> str:
        """The seed, from the path."""
        return self.path.name.removeprefix("seed")

    @property
    def is_evaluated(self) -> bool:
        """True if the run has the files that every evaluation writes; metrics come last.

        Video networks have no attention.
        """
        made = (self.predictions, self.predictions_val, self.metrics)
        return all(path.exists() for path in made)

    # Files that `train` writes

    def write_settings(self, settings: RunSettings) -> None:
        """Write settings.json."""
        write_json(settings.as_dict(), self.settings)

    def read_settings(self) -> RunSettings:
        """Read settings.json."""
        values = read_json(self.settings)
        with _reading(self.settings, "train"):
            return run_settings(values)

    def write_history(self, history: Sequence[Epoch]) -> None:
        """Write history.csv."""
        _write_csv([Epoch._fields, *history], self.history)

    def read_history(self) -> list[Epoch]:
        """Read history.csv, the epochs in their order."""
        with _reading(self.history, "train"):
            header, *rows = _read_csv(self.history)
            if header != list(Epoch._fields):
                raise ValueError(f"its columns are not {', '.join(Epoch._fields)}")
            return [
                Epoch(int(epoch), float(loss), float(val_loss), float(accuracy), int(best))
                for epoch, loss, val_loss, accuracy, best in rows
            ]

    @property
    def settings_digest(self) -> str:
        """SHA-256 of the settings as they are written: `RunSettings.digest` of the training."""
        return digest_of(read_json(self.settings))

    def write_weights(self, weights: Mapping[str, "Tensor"], settings: RunSettings) -> None:
        """Write model.safetensors."""
        from safetensors.torch import save

        with replacing(self.weights, sealed=True) as beside:
            beside.write_bytes(save(dict(weights), {"settings": settings.digest}))

    def read_weights(self) -> dict[str, "Tensor"]:
        """Read model.safetensors, on the CPU; MafnetError if it has other settings than the run."""
        from safetensors import SafetensorError, safe_open

        damage = _reading(self.weights, "train", SafetensorError)
        with damage, safe_open(self.weights, "pt") as file:
            trained = (file.metadata() or {}).get("settings")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if trained != self.settings_digest:
            raise MafnetError(
                f"{self.weights}: belongs to another run than {self.settings}; delete both and run "
                "the same command again"
            )
        return weights

    def write_resume(self, state: Mapping) -> None:
        """Write resume.pt: tensors, numbers, texts and nested lists and mappings of these."""
        import torch

        # On a full disk torch would end the process.
        content = io.BytesIO()
        torch.save(dict(state), content)
        with replacing(self.resume, sealed=True) as beside:
            beside.write_bytes(content.getbuffer())

    def read_resume(self) -> dict:
        """Read resume.pt, on the CPU; empty if there is none."""
        import pickle

        import torch

        if not self.resume.exists():
            return {}
        with _reading(self.resume, "", RuntimeError, pickle.UnpicklingError):
            return torch.load(self.resume, weights_only=True, map_location="cpu")

    def discard_resume(self) -> None:
        """Remove resume.pt."""
        remove(self.resume)

    # Files that `evaluate` writes

    def write_predictions(self, found: PredictionTable, subset: str = "test") -> None:
        """Write predictions.csv (test) or predictions_val.csv (val)."""
        _write_csv(found.rows(), self._predictions_of(subset))

    def read_predictions(self, subset: str = "test") -> PredictionTable:
        """Read predictions.csv (test) or predictions_val.csv (val)."""
        path = self._predictions_of(subset)
        with _reading(path, "evaluate"):
            return PredictionTable.of_rows(_read_csv(path))

    def _predictions_of(self, subset: str) -> Path:
        return {"test": self.predictions, "val": self.predictions_val}[subset]

    def write_attention(self, found: Attention) -> None:
        """Write attention.npz: arrays `sample`, `modality`, `attention` and `valid`."""
        with replacing(self.attention, sealed=True) as beside, beside.open("wb") as file:
            np.savez_compressed(
                file,
                sample=np.array(found.samples),
                modality=np.array(found.modalities),
                attention=found.weights.astype(np.float32),
                valid=found.valid,
            )

    def read_attention(self) -> Attention:
        """Read attention.npz."""
        damage = _reading(self.attention, "evaluate", BadZipFile, zlib.error)
        with damage, np.load(self.attention) as found:
            names = found["sample"].tolist(), found["modality"].tolist()
            return Attention(*names, found["attention"], found["valid"])

    def write_metrics(self, metrics: Mapping) -> None:
        """Write metrics.json."""
        write_json(metrics, self.metrics)

    def read_metrics(self) -> dict:
        """Read metrics.json."""
        return read_json(self.metrics)

    def read_calibration(self) -> Calibration:
        """The calibration that the evaluation found; temperature 1 and a note if there is none."""
        metrics = self.read_metrics() if self.metrics.exists() else {}
        if "temperature" not in metrics or metrics["settings"] != self.settings_digest:
            return Calibration(1.0, "this run was not evaluated by this version of mafnet")
        return Calibration(metrics["temperature"], metrics["temperature_note"])


@contextmanager
def _reading(path: Path, step: str, *more: type[Exception]) -> Iterator[None]:
    """Turn the errors of a damaged or missing file into one line.

    step: what to repeat, empty if nothing. more: further errors of the file's format.
    """
    require_unchanged(path)
    known = (OSError, EOFError, ValueError, LookupError, csv.Error, MafnetError)
    try:
        yield
    except (*known, *more) as error:
        advice = f"; {step} the run again" if step else ""
        raise MafnetError(f"{path}: cannot be read ({error}){advice}") from error


def _write_csv(rows: Sequence[Sequence], path: Path) -> None:
    with (
        replacing(path, sealed=True) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)


def _read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))
