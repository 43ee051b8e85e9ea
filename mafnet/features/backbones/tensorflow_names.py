"""State dicts from variables of TensorFlow or Keras, by tables of names."""

from collections.abc import Sequence

import torch

from mafnet.common.errors import MafnetError


def renamed(state: dict, tables: Sequence[dict[str, str]], backbone: str) -> dict:
    """Our tensors from published variables; `state` itself if no table knows any of them.

    tables: the last parts of the published name of each of our tensors, one table for each file
    that was published. MafnetError names the variables that are missing.
    """
    found = [_found(state, table) for table in tables]
    best = max(range(len(tables)), key=lambda index: len(found[index]))
    table, found = tables[best], found[best]
    if not found:
        return state
    missing = [name for own, name in table.items() if own not in found]
    if missing:
        raise MafnetError(
            f"{backbone}: the weights lack {len(missing)} of {len(table)} variables, the first is "
            f"{missing[0]}; use the published file"
        )
    return {own: _of_torch(table[own], tensor) for own, tensor in found.items()}


def _found(state: dict, table: dict[str, str]) -> dict:
    """The tensors of a table that are in the state, under our names."""
    published = {}
    for key, tensor in state.items():
        parts = key.split("/")
        published |= {"/".join(parts[start:]): tensor for start in range(len(parts))}
    return {own: published[name] for own, name in table.items() if name in published}


def _of_torch(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """A kernel in torch's order of axes: (out, in, height, width) or (out, in)."""
    if tensor.ndim == 4:  # TensorFlow: (height, width, in, out); depthwise: (.., channels, 1)
        axes = (2, 3, 0, 1) if name.endswith("depthwise_kernel") else (3, 2, 0, 1)
        return tensor.permute(axes).contiguous()
    return tensor.T.contiguous() if tensor.ndim == 2 else tensor
