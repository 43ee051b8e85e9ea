"""A run of a video network: its files are those of every run, without attention."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mafnet.common.devices import described
from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of, sha256_of
from mafnet.common.memory import keep_freed_memory
from mafnet.model.config import Evaluation, Training
from mafnet.model.evaluate import about_run, run_metrics, validation_metrics
from mafnet.model.metrics import percent
from mafnet.model.mixed_precision import resolve
from mafnet.model.predictions import PredictionTable, as_written
from mafnet.model.resume import Resume
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.video import VERSION, video_spec
from mafnet.model.video.checkpoint import load_pretrained
from mafnet.model.video.data import Frames, VideoData, VideoSubset
from mafnet.model.video.distributed import join, leave
from mafnet.model.video.finetune import Tuner
from mafnet.model.video.views import view_probabilities
from mafnet.video.clip_reader import ClipReader

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 300.0
"""Shortest time between two saves of the state, which has hundreds of megabytes."""


def finetune(
    settings: RunSettings,
    data: VideoData,
    weights: Path | None,
    folder: Path,
    reader: ClipReader,
    device: torch.device,
    save_seconds: float = SECONDS_BETWEEN,
) -> None:
    """Fine-tune one run and write its weights, settings and history to a folder.

    weights: file of `fetch_network`, or None for random ones. A killed run continues.
    """
    keep_freed_memory()
    spec = video_spec(settings.network)
    settings = settings.with_precision(resolve(settings.training.precision, device))
    key = digest_of([settings.as_dict(), data.digest, VERSION, device.type])
    run, world = RunFolder(folder), join(device)
    resume = Resume(run, key, save_seconds)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = spec.build(len(settings.classes))
        if weights:
            load_pretrained(network, spec, weights)
        frames = Frames(reader, data.root, spec.parse(settings.options))
        tuner = Tuner(settings, network.to(device), frames, device, world)
        state = tuner.fit(data.subset("train"), data.subset("val"), resume)
    if world.is_first:
        used = replace(settings, device=described(device))
        run.write_settings(used)
        run.write_history(state.history)
        run.write_weights(state.best_weights, used)
        resume.discard()
    leave(world)


def settings_of_run(
    values: dict, classes: list[str], seed: int, weights: Path | None
) -> RunSettings:
    """The settings of a run: those of the workflow, with all options of the recipe.

    Features stand for the weights before the fine-tuning, as in the runs of other networks.
    """
    spec = video_spec(values["network"])
    options = spec.parse(values["options"])
    visual = {
        "backbone": spec.name,
        "weights": options.weights,
        "weights_sha256": sha256_of(weights) if weights else "",
        "precision": values["training"].get("precision", "auto"),
    }
    return RunSettings(
        values["variant"], spec.name, options.model_dump(), Training(**values["training"]), seed,
        classes, values["clips"], {"visual": visual},
    )  # fmt: skip


def clip_reader(workers: int, limits: dict) -> ClipReader:
    """A reader with the limits of the config's section `video`."""
    return ClipReader(workers, limits["timeout_seconds"], limits.get("decoder_memory_mb", 4000))


def evaluate_video(
    folder: Path,
    data: VideoData,
    chosen: Evaluation,
    split: str,
    reader: ClipReader,
    device: torch.device,
) -> None:
    """Write the predictions and the metrics of a fine-tuned run to its folder.

    The probabilities of a video are the mean over its views, which are all crops of all clips.
    """
    run = RunFolder(folder)
    settings = run.read_settings()
    settings = settings.with_precision(resolve(settings.training.precision, device))
    spec = video_spec(settings.network)
    network = spec.build(len(settings.classes))
    network.load_state_dict(run.read_weights())
    network, options = network.to(device), spec.parse(settings.options)
    frames = Frames(reader, data.root, options, required=True)
    tables, clip_hits = {}, np.empty(0)
    for name in ("val", "test"):
        subset = data.subset(name)
        videos = subset.videos
        found = view_probabilities(network, frames, videos, options, settings, device)
        views = list(found)
        _require_finite(views, subset, folder)
        tables[name] = _table(settings, subset, views)
        pairs = zip(views, subset.labels, strict=True)
        clip_hits = np.concatenate([each.argmax(axis=1) == label for each, label in pairs])
    clip_accuracy = percent(clip_hits.mean())  # of test, the last
    test = tables["test"]
    run.write_predictions(test)
    run.write_predictions(tables["val"], "val")
    on_validation = validation_metrics(tables["val"])
    temperature = on_validation["temperature"]
    metrics = run_metrics(test.labels, test.probabilities, settings.classes, chosen, temperature)
    about = about_run(settings, split, described(device)) | on_validation
    own = {"in_train": data.in_train(data.subset("test")), "clip_accuracy": clip_accuracy,
           "pretrained": settings.options["weights"]}  # fmt: skip
    run.write_metrics(about | own | metrics)
    log.info("test accuracy %.2f %% of %d videos, %.2f %% of their clips", metrics["accuracy"],
             metrics["samples"], clip_accuracy)  # fmt: skip


def _require_finite(views: list[np.ndarray], subset: VideoSubset, folder: Path) -> None:
    for found, sample in zip(views, subset.samples, strict=True):
        if not np.isfinite(found).all():
            raise MafnetError(
                f"{folder}: the network's outputs for sample {sample.sample} are not finite; lower "
                "training.learning_rate and fine-tune it again"
            )


def _table(settings: RunSettings, subset: VideoSubset, views: list[np.ndarray]) -> PredictionTable:
    probabilities = as_written(np.stack([found.mean(axis=0) for found in views]))
    return PredictionTable.of_samples(
        settings.classes, subset.samples, subset.labels, probabilities
    )
