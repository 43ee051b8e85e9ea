"""Weights and clips of the video networks that any implementation can make again.

tests/data/video_networks.json has the outputs of the published implementations for them.
"""

import hashlib
import math

import numpy as np
import torch


def made_weights(state):
    """Values for a state dict by the names and shapes of its entries, in the order of the names."""
    made = {}
    for name in sorted(state):
        shape = tuple(state[name].shape)
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        values = np.random.default_rng(seed).standard_normal(shape, np.float32)
        if name.endswith("num_batches_tracked"):
            made[name] = torch.tensor(1)
            continue
        if len(shape) > 1:
            values *= math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith("weight"):
            values = 1 + 0.1 * values
        elif name.endswith("running_var"):
            values = 1 + 0.5 * abs(values)
        else:
            values *= 0.1
        made[name] = torch.from_numpy(np.float32(values))
    return made


def made_clips(frames, side):
    """(1, 3, frames, side, side) normal values."""
    values = np.random.default_rng(1).standard_normal((1, 3, frames, side, side), np.float32)
    return torch.from_numpy(values)


def layout_digest(state):
    """A digest of names and shapes, without the counters of batches, which old checkpoints lack."""
    lines = [
        f"{name} {','.join(map(str, value.shape))}"
        for name, value in sorted(state.items())
        if not name.endswith("num_batches_tracked")
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
