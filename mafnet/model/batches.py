"""Batches of features on the device, and the network over them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from mafnet.dataset.samples import Data, Subset
from mafnet.errors import MafnetError
from mafnet.model.networks import network_spec
from mafnet.model.networks.blocks import Features, Network


class Reader:
    """Reads the features that a network wants from the feature files to a device."""

    def __init__(self, data: Data, network: str, device: torch.device) -> None:
        self._data = data
        self._spec = network_spec(network)
        self._device = device

    def features(self, rows: np.ndarray) -> Features:
        """The features of some videos, float32 on the device."""
        arrays = self._data.read(rows, self._spec.inputs)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        moved = {name: tensor.to(self._device).float() for name, tensor in tensors.items()}
        valid = torch.from_numpy(self._data.valid(rows, self._spec.modalities)).to(self._device)
        return Features(valid=valid, **moved)


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """The arithmetic of training: bfloat16 where asked for, or by "auto" on a GPU."""
    enabled = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def require_finite(values: Tensor, what: str, names: list[str], features: Features) -> None:
    """MafnetError with the samples at fault if a batch of these samples gave NaN or infinity."""
    if values.isfinite().all():
        return
    read = (features.visual, features.visual_maps, features.audio)
    tensors = [tensor for tensor in read if tensor is not None]
    finite = [tensor.flatten(1).isfinite().all(dim=1).cpu() for tensor in tensors]
    faulty = [name for name, *good in zip(names, *finite, strict=True) if not all(good)]
    if faulty:
        raise MafnetError(
            f"features of {', '.join(faulty)} are not finite; delete the feature files to have "
            "them packed again"
        )
    raise MafnetError(
        f"the {what} is not finite though the features of its batch ({', '.join(names[:3])}, ...) "
        "are; lower model.training.learning_rate or use precision float32"
    )


@torch.inference_mode()
def predict(
    network: Network, reader: Reader, subset: Subset, batch_size: int, precision: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Probabilities (B, C) and attention (B, T, K), float32 on the CPU, batch by batch."""
    network.eval()
    device = next(network.parameters()).device
    for start in range(0, len(subset.rows), batch_size):
        batch = slice(start, start + batch_size)
        features = reader.features(subset.rows[batch])
        with autocast(device, precision):
            output = network(features)
        logits, attention = output.logits.float().cpu(), output.attention.float().cpu()
        names = [sample.sample for sample in subset.samples[batch]]
        require_finite(logits, "output", names, features)
        yield logits.softmax(dim=1), attention
