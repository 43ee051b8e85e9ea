"""The state that lets a killed training continue, with the same result as without the kill."""

import copy
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mafnet.common.errors import MachineError
from mafnet.model.run_folder import Epoch, RunFolder

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 15.0
"""A killed run repeats this time and one epoch at most. A save of MAFnet has 70 MB."""

MAX_REASON = 300
"""Longest reason in the warning about a file that cannot be used, in characters."""


@dataclass
class Progression:
    """The progress of a training.

    epoch: number of finished epochs. best_accuracy: on the validation subset, 0 to 1.
    best_weights: of the epoch whose weights are kept. best_loss: validation loss of that epoch.
    gain_epoch: last epoch with a better accuracy than before.
    """

    epoch: int = 0
    best_epoch: int = 0
    gain_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)


class Resume:
    """Saves the state of a training to the run's folder and restores it.

    key: digest of everything that decides the run's files; a state with another key is not used.
    seconds_between: shortest time between two saves.
    """

    def __init__(self, run: RunFolder, key: str, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._run = run
        self._key = key
        self._seconds_between = seconds_between
        self._saved = time.monotonic()

    def save(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, state: Progression
    ) -> None:
        """Write the whole state between two epochs, unless the last save was a short time ago.

        The training goes on if the disk does not take it.
        """
        if time.monotonic() - self._saved < self._seconds_between:
            return
        content = {"key": self._key} | _content(network, optimiser, state)
        try:
            self._run.write_resume(content)
        except MachineError as error:
            log.warning("%s; if this training is killed, it starts from its last save", error)
        self._saved = time.monotonic()

    def restore(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, state: Progression
    ) -> None:
        """Set everything to the saved state, if there is one with this key.

        A file that does not fit is removed with a warning, and nothing is set.
        """
        path = self._run.resume
        before = copy.deepcopy(_content(network, optimiser, state))
        try:
            content = self._run.read_resume()
            if not content or content["key"] != self._key:
                return
            _set(content, network, optimiser, state)
        except Exception as error:  # noqa: BLE001 - another form can fail anywhere in torch
            reason = " ".join(f"{type(error).__name__} {error}".split())[:MAX_REASON]
            log.warning("%s: cannot be used (%s); starting from the beginning", path, reason)
            _set(before, network, optimiser, state)
            self.discard()
            return
        log.info("resuming after epoch %d", state.epoch)

    def discard(self) -> None:
        """Remove the file."""
        self._run.discard_resume()


def _content(
    network: nn.Module, optimiser: torch.optim.Optimizer, state: Progression
) -> dict[str, Any]:
    """The present state of a training, for torch.save."""
    return {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        # torch.load(weights_only=True) refuses classes of ours, so epochs are plain tuples.
        "state": vars(state) | {"history": [tuple(epoch) for epoch in state.history]},
        "random": torch.get_rng_state(),
        "random_gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def _set(
    content: Mapping[str, Any],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: Progression,
) -> None:
    """Set everything to a saved state; any exception if it does not fit."""
    saved = type(state)(**content["state"])
    for name, start in vars(type(state)()).items():
        if type(getattr(saved, name)) is not type(start):
            raise TypeError(f"{name} is of another type")
    saved.history = [Epoch(*row) for row in saved.history]
    network.load_state_dict(content["network"])
    optimiser.load_state_dict(content["optimiser"])
    torch.set_rng_state(content["random"])
    if content["random_gpu"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(content["random_gpu"])  # dropout draws on the GPU
    vars(state).update(vars(saved))
