"""The probabilities of a video network for the clips and crops of videos."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from mafnet.model.mixed_precision import autocast
from mafnet.model.settings import RunSettings
from mafnet.model.video.data import Frames
from mafnet.model.video.options import VideoOptions
from mafnet.video.media import Media
from mafnet.video.sampling import evaluation_clips


def view_probabilities(
    network: nn.Module,
    frames: Frames,
    videos: Sequence[Media],
    options: VideoOptions,
    settings: RunSettings,
    device: torch.device,
) -> Iterator[np.ndarray]:
    """For each video (V, C): the probabilities of its V views, all crops of all clips."""
    network.eval()
    wanted = ((media, evaluation_clips(media, options, settings.clips)) for media in videos)
    precision = settings.training.precision
    for clips in frames.read(wanted):
        found = []
        for start in range(0, len(clips), options.clips_at_once):
            batch = frames.batch(clips[start : start + options.clips_at_once], device)
            with torch.inference_mode(), autocast(device, precision):
                logits = network(batch)
            found.append(logits.float().softmax(dim=1).cpu().numpy())
        yield np.concatenate(found)
