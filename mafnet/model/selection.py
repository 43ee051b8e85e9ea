"""Validation, and the choice of the weights that a run keeps."""

import torch
from torch.nn import functional

from mafnet.model.batches import Reader, predict
from mafnet.model.config import Training
from mafnet.model.data import Subset
from mafnet.model.networks.blocks import Network
from mafnet.model.resume import Progression
from mafnet.model.settings import RunSettings


def measure(
    network: Network, reader: Reader, subset: Subset, settings: RunSettings
) -> tuple[float, float]:
    """The mean loss in nats and the accuracy (0 to 1) on a subset."""
    chosen = settings.training
    batches = predict(network, reader, subset, chosen.batch_size, chosen.precision)
    probabilities = torch.cat([batch for batch, _ in batches]).double()
    labels = torch.from_numpy(subset.labels)
    logs = probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
    accuracy = (probabilities.argmax(dim=1) == labels).double().mean()
    return functional.nll_loss(logs, labels).item(), accuracy.item()


def keep_best(
    state: Progression, network: Network, loss: float, accuracy: float, chosen: Training
) -> None:
    """Keep the weights of this epoch if they are better than those of all epochs before.

    Better is a higher validation accuracy. Among accuracies that differ by at most `min_gain`, it
    is the lower validation loss: with few validation samples the first epoch of several with the
    same accuracy is often good by chance.
    """
    gain = accuracy > state.best_accuracy + chosen.min_gain
    if gain:
        state.best_accuracy, state.gain_epoch = accuracy, state.epoch
    tie = accuracy >= state.best_accuracy - chosen.min_gain
    if gain or (tie and loss < state.best_loss):
        state.best_epoch, state.best_loss = state.epoch, loss
        weights = network.state_dict()
        state.best_weights = {name: value.detach().cpu().clone() for name, value in weights.items()}
