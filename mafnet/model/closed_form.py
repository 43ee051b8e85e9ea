"""Networks whose weights are computed at once, without gradient descent.

Each function takes a new network, the run's settings, its data, and the runs of the members of a
late fusion. It returns the weights to keep, with a row of history for each set that it tried.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from mafnet.common.errors import MafnetError
from mafnet.model.batches import Reader
from mafnet.model.data import Data, Subset
from mafnet.model.networks import network_spec
from mafnet.model.networks.blocks import Network
from mafnet.model.resume import Progression
from mafnet.model.run_folder import Epoch, RunFolder
from mafnet.model.selection import keep_best, measure
from mafnet.model.settings import RunSettings

VIDEOS_AT_ONCE = 64
ABSENT = -1e4
"""Logit of a class without training videos; its probability is 0."""


def fit_logistic_regression(
    network: Network, settings: RunSettings, data: Data, members: Sequence[RunFolder]
) -> Progression:
    """scikit-learn's logistic regression for each C of the options; validation chooses."""
    del members
    reader = Reader(data, settings.inputs, torch.device("cpu"), "float32")
    training = data.subset("train")
    vectors = _vectors(network, reader, training)
    network.mean.copy_(torch.from_numpy(vectors.mean(0)))
    spread = vectors.std(0)
    network.scale.copy_(torch.from_numpy(np.where(spread > 0, spread, 1)))
    standardised = (vectors - network.mean.numpy()) / network.scale.numpy()
    state = Progression()
    for c in sorted(network_spec(settings.network).parse(settings.options).c):
        found = LogisticRegression(C=c, max_iter=10_000).fit(standardised, training.labels)
        _set_linear(network, found)
        _record(state, network, reader, data, settings)
    return state


def combine_members(
    network: Network, settings: RunSettings, data: Data, members: Sequence[RunFolder]
) -> Progression:
    """The weights of all members under their names; nothing is trained."""
    runs = {run.variant: run for run in members}
    for name, member in settings.options["members"].items():
        if name not in runs:
            raise MafnetError(f"late fusion needs the run of {name}; give its folder by --member")
        trained = runs[name].read_settings()
        expected = (member["network"], member["options"], settings.classes, settings.seed)
        if (trained.network, trained.options, trained.classes, trained.seed) != expected:
            raise MafnetError(
                f"{runs[name].settings}: this run has other settings than the late fusion; "
                "train it again"
            )
        network.members[name].load_state_dict(runs[name].read_weights())
    reader = Reader(data, settings.inputs, torch.device("cpu"), settings.training.precision)
    state = Progression()
    _record(state, network, reader, data, settings)
    return state


def _vectors(network: Network, reader: Reader, subset: Subset) -> np.ndarray:
    """The vectors (S, F) of the videos of a subset, float64."""
    parts = np.split(subset.rows, range(VIDEOS_AT_ONCE, len(subset.rows), VIDEOS_AT_ONCE))
    return np.concatenate(
        [network.vectors(reader.features(rows)).double().numpy() for rows in parts]
    )


@torch.no_grad()
def _set_linear(network: Network, found: LogisticRegression) -> None:
    """Copy the coefficients; scikit-learn knows only the classes that have training videos."""
    weights, bias = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # one row, for the second class
        weights, bias = np.concatenate([0 * weights, weights]), np.concatenate([0 * bias, bias])
    network.linear.weight.zero_()
    network.linear.bias.fill_(ABSENT)
    network.linear.weight[found.classes_] = torch.from_numpy(weights).float()
    network.linear.bias[found.classes_] = torch.from_numpy(bias).float()


def _record(
    state: Progression, network: Network, reader: Reader, data: Data, settings: RunSettings
) -> None:
    """Add the network to the history; it is kept if it is the best so far on validation."""
    state.epoch += 1
    loss, _ = measure(network, reader, data.subset("train"), settings)
    val_loss, accuracy = measure(network, reader, data.subset("val"), settings)
    keep_best(state, network, val_loss, accuracy, settings.training)
    best = int(state.best_epoch == state.epoch)
    state.history.append(Epoch(state.epoch, loss, val_loss, accuracy, best))
