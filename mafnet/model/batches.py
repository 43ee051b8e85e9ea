"""Batches of features on the device, and the network over them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from mafnet.common.errors import MafnetError
from mafnet.model.data import FeatureSource, Subset
from mafnet.model.mixed_precision import autocast
from mafnet.model.networks.blocks import Features, Network

RESIDENT_SHARE = 0.5
"""Share of a GPU's free memory for features; the network and other runs need the rest."""

VIDEOS_AT_ONCE = 64
"""Number of videos that are copied to the device at a time: 128 MB of visual maps."""


class Reader:
    """Reads the features that a network needs from the feature files to a device.

    inputs: names of features, see `NetworkSpec.inputs`.
    precision: "float32" converts them; "bfloat16" leaves them as stored, because the convolutions
        convert them.
    """

    def __init__(
        self, data: FeatureSource, inputs: Sequence[str], device: torch.device, precision: str
    ) -> None:
        self._data = data
        self._inputs = inputs
        self._device = device
        self._precision = precision
        self._resident: dict[str, Tensor] = {}
        self._indices = np.empty(0, int)

    def keep(self, subsets: Sequence[Subset], room: int | None = None) -> bool:
        """Copy the features of some subsets to the device; False if there is not enough room.

        room: bytes that the features may take. The default is half of a GPU's free memory, and 0
        on a CPU, because there the feature files are memory-mapped and all runs share them.
        """
        rows = np.unique(np.concatenate([subset.rows for subset in subsets]))
        room = _room(self._device) if room is None else room
        first = self._read(rows[:1])
        if len(rows) * sum(tensor.nbytes for tensor in first.values()) > room:
            return False
        kept = {name: each.new_empty(len(rows), *each.shape[1:]) for name, each in first.items()}
        for start in range(0, len(rows), VIDEOS_AT_ONCE):
            part = slice(start, start + VIDEOS_AT_ONCE)
            for name, values in self._read(rows[part]).items():
                kept[name][part] = values
        self._resident = kept
        self._indices = np.searchsorted(rows, np.arange(rows[-1] + 1))
        return True

    def features(self, rows: np.ndarray) -> Features:
        """The features of some videos on the device."""
        tensors = self._kept(rows) if self._resident else self._read(rows)
        if self._precision == "float32":
            tensors = {name: tensor.float() for name, tensor in tensors.items()}
        valid = torch.from_numpy(self._data.valid(rows, self._inputs)).to(self._device)
        return Features(valid=valid, **tensors)

    def _read(self, rows: np.ndarray) -> dict[str, Tensor]:
        """The features as they are stored in the feature files."""
        arrays = self._data.read(rows, self._inputs)
        return {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}

    def _kept(self, rows: np.ndarray) -> dict[str, Tensor]:
        """The features that are kept on the device."""
        indices = torch.from_numpy(self._indices[rows]).to(self._device)
        return {name: tensor[indices] for name, tensor in self._resident.items()}


def _room(device: torch.device) -> int:
    """Bytes that features may take on a device."""
    if device.type != "cuda":
        return 0
    return int(RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0])


def require_finite(values: Tensor, what: str, names: list[str], features: Features) -> None:
    """MafnetError that names the faulty samples if a batch gave NaN or infinity."""
    if values.isfinite().all():
        return
    read = (features.visual, features.visual_maps, features.audio)
    tensors = [tensor for tensor in read if tensor is not None]
    finite = [tensor.flatten(1).isfinite().all(dim=1).cpu() for tensor in tensors]
    faulty = [name for name, *good in zip(names, *finite, strict=True) if not all(good)]
    if faulty:
        raise MafnetError(
            f"features of {', '.join(faulty)} are not finite; delete the feature files, so "
            "that they are packed again"
        )
    raise MafnetError(
        f"the {what} is not finite, but the features of its batch ({', '.join(names[:3])}, ...) "
        "are finite; lower model.training.learning_rate or use precision float32"
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
