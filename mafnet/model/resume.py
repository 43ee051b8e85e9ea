"""What a killed training needs to go on as if nothing had happened."""

import logging
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mafnet.common.files import replacing
from mafnet.model.networks.blocks import Network

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 15.0
"""A kill costs at most this much and an epoch; a save of MAFnet with its moments is 70 MB."""


@dataclass
class Progression:
    """How far a training is.

    epoch: epochs done. best_accuracy: on the validation subset, 0 to 1.
    best_weights: of the epoch with that accuracy. history: one row an epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[tuple] = field(default_factory=list)


class Resume:
    """The file `resume.pt` in a run's folder, there while the run is not finished.

    key: digest of all that decides the run's files; a file made under another one is not used.
    seconds_between: the least time from one save to the next.
    """

    def __init__(self, folder: Path, key: str, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._path = folder / "resume.pt"
        self._key = key
        self._seconds_between = seconds_between
        self._saved = time.monotonic()

    def save(self, network: Network, optimiser: torch.optim.Optimizer, state: Progression) -> None:
        """Write the whole state between two epochs, unless it was done a moment ago."""
        if time.monotonic() - self._saved < self._seconds_between:
            return
        content = {
            "key": self._key,
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "state": vars(state),
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        }
        with replacing(self._path) as beside:
            torch.save(content, beside)
        self._saved = time.monotonic()

    def restore(
        self, network: Network, optimiser: torch.optim.Optimizer, state: Progression
    ) -> None:
        """Bring everything to the saved state, if there is one with this key."""
        content = self._read()
        if content.get("key") != self._key:
            return
        network.load_state_dict(content["network"])
        optimiser.load_state_dict(content["optimiser"])
        vars(state).update(content["state"])
        torch.set_rng_state(content["random"])
        if content.get("random_gpu") is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(content["random_gpu"])  # dropout draws on the GPU
        log.info("going on after epoch %d", state.epoch)

    def discard(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict:
        """The saved state, empty if there is none that can be read."""
        try:
            return torch.load(self._path, weights_only=True, map_location="cpu")
        except FileNotFoundError:
            return {}
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
            log.warning("%s cannot be read (%s); starting anew", self._path, error)
            return {}
