"""Reads published checkpoints of video networks, and accepts them only if everything fits."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.features.weights.files import load, load_torch
from mafnet.features.weights.published import Published
from mafnet.model.video import PRETRAINED_CLASSES, VideoSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

MAX_SHOWN = 5
"""Number of faults that a message names."""

COUNTER = "num_batches_tracked"
"""Ending of the names of batch counters, which old checkpoints lack and no network needs."""


def fetch_network(weights: Published, spec: VideoSpec, folder: Path, output: Path) -> None:
    """Download published weights, check every name, shape and value, and write safetensors."""
    from safetensors.torch import save

    path = obtain(folder / weights.file, weights.addresses, weights.sha256)
    if spec.git_blob:
        _require_blob(path, spec.git_blob)
    state = published_state(path, spec)
    log.info("%s: %d tensors, all fit %s", path, len(state), spec.name)
    with replacing(output, sealed=True) as beside:
        beside.write_bytes(save(state))


def published_state(path: Path, spec: VideoSpec) -> dict[str, "Tensor"]:
    """The float32 tensors of a published file by their names in the network.

    MafnetError lists missing and surplus names, other shapes, and values that are not finite.
    """
    content = load_torch(path)
    if spec.container:
        content = content.get(spec.container) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        inside = f" under {spec.container!r}" if spec.container else ""
        raise MafnetError(f"{path}: has no state dict{inside}; get the published file again")
    state = {name.removeprefix(spec.prefix): value for name, value in content.items()}
    _require_fit(path, spec, state)
    return {name: value.detach().float().contiguous() for name, value in state.items()
            if not name.endswith(COUNTER)}  # fmt: skip


def load_pretrained(network: "nn.Module", spec: VideoSpec, path: Path) -> None:
    """Set all weights but the classifier's to those of a file that `fetch_network` wrote."""
    state = load(path)
    _require_fit(path, spec, state)
    body = {name: value for name, value in state.items() if not name.startswith(spec.classifier)}
    network.load_state_dict(body, strict=False)  # complete, because _require_fit knows all names


def _require_fit(path: Path, spec: VideoSpec, state: Mapping[str, object]) -> None:
    """MafnetError unless the names, shapes and values are those of the published network."""
    import torch

    with torch.device("meta"):
        wanted = spec.build(PRETRAINED_CLASSES).state_dict()
    faults = list(_faults(state, wanted))
    if faults:
        more = f"; and {len(faults) - MAX_SHOWN} more" if len(faults) > MAX_SHOWN else ""
        raise MafnetError(
            f"{path}: does not fit {spec.name} ({'; '.join(faults[:MAX_SHOWN])}{more}); "
            "get the published file"
        )


def _faults(state: Mapping[str, object], wanted: Mapping[str, "Tensor"]) -> Iterator[str]:
    import torch

    for name, own in wanted.items():
        value = state.get(name)
        if name.endswith(COUNTER):
            continue
        if name not in state:
            yield f"{name} is missing"
        elif not isinstance(value, torch.Tensor) or not value.is_floating_point():
            yield f"{name} has no floating-point numbers"
        elif value.shape != own.shape:
            yield f"{name} has shape {tuple(value.shape)}, not {tuple(own.shape)}"
        elif not value.isfinite().all():
            yield f"{name} has a value that is not finite"
    surplus = [name for name in state if name not in wanted]
    yield from (f"{name[:100]!r} is surplus" for name in surplus)


def _require_blob(path: Path, blob: str) -> None:
    """MafnetError if a file is not the one that git knows by a SHA-1."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != blob:
        raise MafnetError(
            f"{path}: git's SHA-1 of the file is {digest.hexdigest()[:16]}..., not "
            f"{blob[:16]}...; move it away or replace it by the correct file"
        )
