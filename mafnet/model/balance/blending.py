"""Gradient-Blending (arXiv 1905.12681): a loss for each modality and one for both.

The weight of a loss is G / O^2, where G is how much training on this loss alone lowers the loss on
held-out videos, and O is how much it raises overfitting (held-out minus training loss).
"""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.balance.base import Balance, FusedVectors
from mafnet.model.batches import Reader
from mafnet.model.config import Training
from mafnet.model.data import Subset
from mafnet.model.mixed_precision import autocast
from mafnet.model.networks.blocks import Network

log = logging.getLogger(__name__)

HELD_OUT = 0.1
"""Share of the training videos on which the weights are estimated."""

EPOCHS = 10
"""Epochs of each of the three short trainings."""

LOSSES = ("visual", "audio", "both")


class GradientBlending(Balance):
    """Adds a linear classifier for each modality, on its half of the fused vector."""

    def __init__(self, network: Network, chosen: Training) -> None:
        super().__init__(network, chosen)
        self._fused = FusedVectors(network)
        classes, fused = network.classifier.linear.weight.shape
        device = network.classifier.linear.weight.device
        for modality in LOSSES[:2]:
            self.modules[modality] = nn.Linear(fused // 2, classes).to(device)
        self.weights = dict.fromkeys(LOSSES, 1 / len(LOSSES))

    def prepare(self, new: Callable[[], Network], reader: Reader, training: Subset) -> None:
        """Estimate the weights of the losses by three short trainings."""
        order = torch.randperm(len(training.rows)).numpy()
        held = max(1, round(HELD_OUT * len(order)))
        if len(order) - held < 2:
            log.warning("too few training videos to estimate the weights; the losses are equal")
            return
        parts = [_part(training, order[held:]), _part(training, order[:held])]
        found = {name: self._estimate(name, new(), reader, *parts) for name in LOSSES}
        total = sum(found.values())
        if total > 0:
            self.weights = {name: value / total for name, value in found.items()}
        shown = ", ".join(f"{name} {value:.2f}" for name, value in self.weights.items())
        log.info("gradient blending: weights of the losses %s", shown)

    def _estimate(
        self, name: str, network: Network, reader: Reader, fitted: Subset, held: Subset
    ) -> float:
        """G / O^2 of one loss; 0 if training on it does not lower the held-out loss."""
        other = GradientBlending(network, self.chosen)
        other.weights = {loss: float(loss == name) for loss in LOSSES}
        parameters = [*network.parameters(), *other.modules.parameters()]
        optimiser = torch.optim.Adam(parameters, self.chosen.learning_rate)
        before = [other.mean_loss(reader, subset) for subset in (fitted, held)]
        for _ in range(EPOCHS):
            network.train()
            for loss in other.losses(reader, fitted, shuffled=True):
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        after = [other.mean_loss(reader, subset) for subset in (fitted, held)]
        gain = before[1] - after[1]
        overfitting = (after[1] - after[0]) - (before[1] - before[0])
        return max(gain, 0.0) / max(overfitting**2, 1e-4)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The weighted sum of the three losses."""
        halves = zip(LOSSES[:2], self._fused.halves(), strict=True)
        found = {name: self.modules[name](half) for name, half in halves} | {"both": logits}
        return sum(
            weight * functional.cross_entropy(found[name], labels)
            for name, weight in self.weights.items()
        )

    def losses(self, reader: Reader, subset: Subset, shuffled: bool = False) -> Iterator[Tensor]:
        """The loss () of each batch of a subset; a batch has two videos at least."""
        size = len(subset.rows)
        order = torch.randperm(size) if shuffled else torch.arange(size)
        device = self.network.classifier.linear.weight.device
        for batch in order.split(self.chosen.batch_size):
            if len(batch) < 2 and self.network.training:
                continue
            indices = batch.numpy()
            labels = torch.from_numpy(subset.labels[indices]).to(device)
            features = reader.features(subset.rows[indices])
            with autocast(device, self.chosen.precision):
                logits = self.network(features).logits
            yield self.loss(logits.float(), labels)

    @torch.no_grad()
    def mean_loss(self, reader: Reader, subset: Subset) -> float:
        """The mean loss of the batches of a subset, in evaluation mode."""
        self.network.eval()
        found = torch.stack(list(self.losses(reader, subset)))
        return found.mean().item()


def _part(subset: Subset, indices: np.ndarray) -> Subset:
    samples = [subset.samples[index] for index in indices]
    return Subset(samples, subset.rows[indices], subset.labels[indices])
