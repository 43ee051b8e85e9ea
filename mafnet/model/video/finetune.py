"""Fine-tuning of a video network: SGD on clips of frames, early stopping as for MAFnet.

Every random choice comes from the seed, the epoch and the step. So a killed run repeats at most the
steps after its last save, with the same result, and several processes take the same steps as one.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from mafnet.common.errors import MafnetError
from mafnet.common.progress import Progress
from mafnet.model.mixed_precision import autocast
from mafnet.model.resume import Progression, Resume
from mafnet.model.run_folder import Epoch
from mafnet.model.selection import keep_best
from mafnet.model.settings import RunSettings
from mafnet.model.video import video_spec
from mafnet.model.video.data import Frames, VideoSubset
from mafnet.model.video.distributed import World
from mafnet.model.video.views import view_probabilities
from mafnet.video.sampling import training_clip

log = logging.getLogger(__name__)

IGNORED = -100
"""A label that `cross_entropy` leaves out."""


@dataclass
class FineTuning(Progression):
    """The progress, with the finished steps of the epoch and the losses of these steps."""

    step: int = 0
    losses: list[float] = field(default_factory=list)


class Tuner:
    """One run of fine-tuning; `fit` does everything.

    network: on the device, with its first weights.
    """

    def __init__(
        self,
        settings: RunSettings,
        network: nn.Module,
        frames: Frames,
        device: torch.device,
        world: World,
    ) -> None:
        self._settings, self._network, self._frames = settings, network, frames
        self._device, self._world = device, world
        self._options = video_spec(settings.network).parse(settings.options)
        self._frozen = freeze(network, self._options.frozen_stages)
        weights = [each for each in network.parameters() if each.requires_grad]
        options, nesterov = self._options, self._options.nesterov and self._options.momentum > 0
        self._optimiser = torch.optim.SGD(
            weights, settings.training.learning_rate, options.momentum,
            0 if nesterov else options.dampening, options.weight_decay, nesterov,
        )  # fmt: skip
        self._model = DistributedDataParallel(network) if world.size > 1 else network

    def fit(self, training: VideoSubset, validation: VideoSubset, resume: Resume) -> FineTuning:
        """Train until early stopping, and return the progress with the best weights."""
        chosen, state = self._settings.training, FineTuning()
        resume.restore(self._network, self._optimiser, state)
        name = f"finetune {self._settings.variant} seed {self._settings.seed}"
        progress = Progress(name, chosen.max_epochs, "epochs", log)
        progress.skip(state.epoch)
        while state.epoch < chosen.max_epochs and state.epoch - state.gain_epoch < chosen.patience:
            self._train_epoch(training, state, resume)
            loss = sum(state.losses) / len(state.losses)
            state.epoch, state.step, state.losses = state.epoch + 1, 0, []
            val_loss, accuracy = self._validate(validation)
            keep_best(state, self._network, val_loss, accuracy, chosen)
            best = int(state.best_epoch == state.epoch)
            state.history.append(Epoch(state.epoch, loss, val_loss, accuracy, best))
            progress.advance(f"loss {loss:.3f}, val {accuracy:.1%}, best {state.best_accuracy:.1%}")
            self._save(state, resume)
        return state

    def step_size(self, epochs: int) -> float:
        """The step size after some finished epochs."""
        drops = sum(epochs >= drop for drop in self._options.drops)
        return self._settings.training.learning_rate / 10**drops

    def _train_epoch(self, subset: VideoSubset, state: FineTuning, resume: Resume) -> None:
        self._network.train()
        for module in self._frozen:
            module.eval()
        batches = self._batches(len(subset.samples), state.epoch)
        clips = self._frames.read(self._wanted(subset, batches[state.step :], state.epoch))
        for group in self._optimiser.param_groups:
            group["lr"] = self.step_size(state.epoch)
        for step in range(state.step, len(batches)):
            loss = self._step(subset, batches[step], clips, (state.epoch, step))
            if not math.isfinite(loss):
                raise MafnetError(
                    f"{self._settings.variant}: the loss of epoch {state.epoch + 1}, step "
                    f"{step + 1} is {loss}; lower training.learning_rate"
                )
            state.losses.append(loss)
            state.step = step + 1
            self._save(state, resume)

    def _save(self, state: FineTuning, resume: Resume) -> None:
        if self._world.is_first:
            resume.save(self._network, self._optimiser, state)

    def _step(
        self,
        subset: VideoSubset,
        batch: np.ndarray,
        clips: Iterator[list[Tensor]],
        place: tuple[int, int],
    ) -> float:
        """One update; returns the mean loss of the batch before it, over all processes."""
        self._optimiser.zero_grad(set_to_none=True)
        parts, total = self._parts(batch), 0.0
        mine = range(self._world.rank, len(parts), self._world.size)
        for number in mine:
            pixels = self._frames.batch([next(clips)[0] for _ in parts[number]], self._device)
            labels = self._labels(subset, parts[number]).to(self._device)
            torch.manual_seed(_number(self._settings.seed, *place, number))  # for dropout
            last = number == mine[-1] or self._world.size == 1
            with nullcontext() if last else self._model.no_sync():
                with autocast(self._device, self._settings.training.precision):
                    logits = self._model(pixels)
                loss = functional.cross_entropy(logits.float(), labels, reduction="sum")
                # DistributedDataParallel takes the mean over the processes.
                (loss * self._world.size / len(batch)).backward()
            total += loss.item()
        self._optimiser.step()
        return self._world.total([total], self._device)[0] / len(batch)

    def _labels(self, subset: VideoSubset, part: np.ndarray) -> Tensor:
        """The labels of samples whose clips were just read; videos without clips do not count."""
        labels = subset.labels[part]
        unreadable = [subset.videos[index].video in self._frames.unreadable for index in part]
        return torch.from_numpy(np.where(unreadable, IGNORED, labels))

    def _batches(self, samples: int, epoch: int) -> list[np.ndarray]:
        """The samples in random order, in batches; the last is left out if a process had none."""
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(samples)
        size = self._settings.training.batch_size
        batches = [order[start : start + size] for start in range(0, samples, size)]
        return [batch for batch in batches if len(batch) >= self._world.size]

    def _parts(self, batch: np.ndarray) -> list[np.ndarray]:
        """The clips that are computed at a time, as many for each process."""
        size = self._world.size
        rounds = math.ceil(len(batch) / (self._options.clips_at_once * size))
        return np.array_split(batch, min(rounds * size, len(batch) // size * size))

    def _wanted(self, subset: VideoSubset, batches: Sequence[np.ndarray], epoch: int) -> Iterator:
        """What this process decodes, in its order."""
        for batch in batches:
            for part in self._parts(batch)[self._world.rank :: self._world.size]:
                for index in part:
                    media = subset.videos[index]
                    key = f"{self._settings.seed} {epoch} {subset.samples[index].sample}"
                    clip = training_clip(media, self._options, self._settings.clips, key)
                    yield media, [clip]

    def _validate(self, subset: VideoSubset) -> tuple[float, float]:
        """The mean loss in nats and the accuracy (0 to 1) on the validation subset."""
        self._world.share_statistics(self._network)
        options = self._options.model_copy(
            update={"test_clips": self._options.validation_clips, "test_crops": 1}
        )
        mine = range(self._world.rank, len(subset.samples), self._world.size)
        views = view_probabilities(
            self._network, self._frames, [subset.videos[index] for index in mine], options,
            self._settings, self._device,
        )  # fmt: skip
        sums = np.zeros(3)
        for index, found in zip(mine, views, strict=True):
            if subset.videos[index].video in self._frames.unreadable:
                continue
            mean, label = found.mean(axis=0), subset.labels[index]
            if not np.isfinite(mean).all():  # statistics may lag in the first epochs
                sums += (math.inf, 0, 1)
                continue
            tiny = np.finfo(np.float32).tiny
            sums += (-math.log(max(mean[label], tiny)), mean.argmax() == label, 1)
        loss, hits, count = self._world.total(sums.tolist(), self._device)
        return loss / count, hits / count


def freeze(network: nn.Module, stages: int) -> list[nn.Module]:
    """Stop the training of the first stages; their parts must stay in evaluation mode."""
    frozen = [part for stage in network.stages[:stages] for part in stage]
    for part in frozen:
        part.requires_grad_(requires_grad=False)
    return frozen


def _number(*parts: int) -> int:
    """A seed that differs for each combination of numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
