"""Training: Adam, cross-entropy, a balance of the modalities, early stopping."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mafnet.common.devices import described
from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of
from mafnet.common.progress import Progress
from mafnet.model import closed_form
from mafnet.model.balance import new_balance
from mafnet.model.balance.base import Balance
from mafnet.model.batches import Reader, require_finite
from mafnet.model.config import Training
from mafnet.model.data import Data, FeatureSource, Subset
from mafnet.model.mixed_precision import autocast, resolve
from mafnet.model.networks import build_network, network_spec, reduced
from mafnet.model.networks.blocks import Features, Network
from mafnet.model.networks.options import NormOptions
from mafnet.model.resume import SECONDS_BETWEEN, Progression, Resume
from mafnet.model.run_folder import Epoch, RunFolder
from mafnet.model.selection import keep_best, measure
from mafnet.model.settings import RunSettings

log = logging.getLogger(__name__)

MAY_DROP = 0.1
"""Largest share of the training samples that an epoch may leave out."""

STATISTICS_START = 0.1
"""Largest share of their initial values that running statistics should have when training stops."""


def train(
    settings: RunSettings,
    data: Data,
    folder: Path,
    device: torch.device,
    save_seconds: float = SECONDS_BETWEEN,
    members: Sequence[RunFolder] = (),
) -> None:
    """Train one run and write its weights, settings and history to a folder.

    The same settings, data, device and number of threads give the same files, also if the run was
    killed and started again. save_seconds: time between two saves of the state. The written
    settings have the precision that was used, also if it was "auto", and the device.
    members: the runs that a late fusion combines.
    """
    run = RunFolder(folder)
    settings = settings.with_precision(resolve(settings.training.precision, device))
    version = network_spec(settings.network).training_version
    key = digest_of([settings.as_dict(), data.digest, version, device.type])
    resume = Resume(run, key, save_seconds)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        if fit := network_spec(settings.network).fit:
            network = new_network(settings, data)
            progression = getattr(closed_form, fit)(network, settings, data, members)
        else:
            progression = _fit(settings, data, resume, device)
    settings = replace(settings, device=described(device))
    run.write_settings(settings)
    run.write_history(progression.history)
    run.write_weights(progression.best_weights, settings)
    resume.discard()  # last, so that the state or the result always exists


def _fit(settings: RunSettings, data: Data, resume: Resume, device: torch.device) -> Progression:
    """The training loop: ends after `patience` epochs without a gain, or at `max_epochs`."""
    chosen = settings.training
    training, validation = data.subset("train"), data.subset("val")
    if len(training.rows) < 2:
        raise MafnetError(f"{data.manifest}: training needs two or more usable samples in train")
    reader = Reader(data, settings.inputs, device, chosen.precision)
    if reader.keep([training, validation]):
        log.info("the features are kept on %s", device)
    network = new_network(settings, data).to(device)
    balance = new_balance(network, chosen)
    balance.prepare(lambda: new_network(settings, data).to(device), reader, training)
    optimiser = new_optimiser(network, chosen, balance)
    state = Progression()
    trained = nn.ModuleList([network, balance.modules])
    resume.restore(trained, optimiser, state)
    name = f"train {settings.variant} seed {settings.seed}"
    progress = Progress(name, chosen.max_epochs, "epochs", log)
    progress.skip(state.epoch)
    patience = _patience(settings, len(training.rows))
    while state.epoch < chosen.max_epochs and state.epoch - state.gain_epoch < patience:
        loss = _train_epoch(network, optimiser, balance, reader, training)
        state.epoch += 1
        val_loss, accuracy = measure(network, reader, validation, settings)
        keep_best(state, network, val_loss, accuracy, chosen)
        best = int(state.best_epoch == state.epoch)
        state.history.append(Epoch(state.epoch, loss, val_loss, accuracy, best))
        progress.advance(f"loss {loss:.3f}, val {accuracy:.1%}, best {state.best_accuracy:.1%}")
        resume.save(trained, optimiser, state)
    log.info("best validation accuracy %.1f %% in epoch %d of %d",
             100 * state.best_accuracy, state.best_epoch, state.epoch)  # fmt: skip
    return state


def _patience(settings: RunSettings, samples: int) -> int:
    """The number of epochs without a better accuracy after which training stops.

    Warns if running statistics follow the weights too slowly for it.
    """
    chosen = settings.training
    steps = _steps(samples, chosen)
    patience = max(chosen.patience, math.ceil(chosen.patience_steps / steps))
    options = network_spec(settings.network).parse(settings.options)
    last = steps * min(patience, chosen.max_epochs)
    slow = isinstance(options, NormOptions) and not options.bn_warmup
    start = (1 - options.bn_momentum) ** last if slow else 0
    if start > STATISTICS_START:
        log.warning(
            "running statistics of batch normalisation have %.0f %% of their initial values after "
            "%d steps; set bn_warmup: true, or raise bn_momentum", 100 * start, last,
        )  # fmt: skip
    return patience


def new_network(settings: RunSettings, data: FeatureSource) -> Network:
    """The run's network with fresh weights from torch's global generator."""
    network = build_network(
        settings.network,
        classes=len(settings.classes),
        visual_features=data.width("visual"),
        audio_features=data.width("audio"),
        options=settings.options,
    )
    reduced.install(network)
    return network


def trained_network(run: RunFolder, data: FeatureSource) -> Network:
    """The network of a trained run, on the CPU; MafnetError if its weights do not fit."""
    network = new_network(run.read_settings(), data)
    try:
        network.load_state_dict(run.read_weights())
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise MafnetError(
            f"{run.weights}: does not fit the network ({reason}); delete it and run the same "
            "command again"
        ) from error
    return network


def new_optimiser(network: Network, chosen: Training, balance: Balance) -> torch.optim.Adam:
    """Adam over two groups: the visual path, which steps may leave out, and the rest."""
    visual = network.visual_path()
    known = {id(parameter) for parameter in visual}
    every = [*network.parameters(), *balance.modules.parameters()]
    rest = [parameter for parameter in every if id(parameter) not in known]
    groups = [{"params": group} for group in (visual, rest) if group]
    return torch.optim.Adam(groups, chosen.learning_rate, fused=True)


def step(
    network: Network,
    optimiser: torch.optim.Adam,
    balance: Balance,
    features: Features,
    labels: Tensor,
) -> Tensor:
    """One update; returns the loss () before it. Every step updates all running statistics."""
    with autocast(labels.device, balance.chosen.precision):
        output = network(features)
    logits = output.logits[:, None] if output.parts is None else output.parts  # (B, P, C)
    loss = torch.stack([balance.loss(each, labels) for each in logits.float().unbind(1)]).mean()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    balance.change_gradients(labels)
    optimiser.step()
    return loss.detach()


def _train_epoch(
    network: Network,
    optimiser: torch.optim.Adam,
    balance: Balance,
    reader: Reader,
    subset: Subset,
) -> float:
    """One pass over the reshuffled training samples; returns the mean loss of its steps."""
    network.train()
    all_labels = torch.from_numpy(subset.labels).to(next(network.parameters()).device)
    losses = []
    batches = _batches(len(subset.rows), balance.chosen)
    for batch in batches:
        balance.begin_step()
        features, labels = reader.features(subset.rows[batch.numpy()]), all_labels[batch]
        losses.append(step(network, optimiser, balance, features, labels))
    values = torch.stack(losses).tolist()  # waits for the device, once an epoch
    _require_finite(values, batches, reader, subset)
    return sum(values) / len(values)


def _steps(samples: int, chosen: Training) -> int:
    """The number of steps of an epoch.

    The last partial batch is dropped if it has one sample, because batch normalisation needs two,
    or at most MAY_DROP of all samples.
    """
    full, rest = divmod(samples, chosen.batch_size)
    drop = rest == 1 or rest <= MAY_DROP * samples
    return full + (not drop)


def _batches(samples: int, chosen: Training) -> list[Tensor]:
    """The indices of the training samples in random order, in batches."""
    return list(torch.randperm(samples).split(chosen.batch_size))[: _steps(samples, chosen)]


def _require_finite(
    losses: list[float], batches: list[Tensor], reader: Reader, subset: Subset
) -> None:
    """MafnetError about the first batch whose loss is not finite."""
    for loss, indices in zip(losses, batches, strict=True):
        if not math.isfinite(loss):
            batch = indices.numpy()
            names = [subset.samples[index].sample for index in batch]
            require_finite(torch.tensor(loss), "loss", names, reader.features(subset.rows[batch]))
