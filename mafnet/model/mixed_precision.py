"""The arithmetic of training and evaluation: float32, or bfloat16 where the machine has it."""

from contextlib import AbstractContextManager

import torch

CPU_FEATURES = ("avx512_bf16", "amx_bf16")
"""Instructions without which bfloat16 is slower than float32 on a CPU; one is enough."""


def resolve(precision: str, device: torch.device) -> str:
    """ "float32" or "bfloat16": what a config's precision means on a device.

    "auto" is bfloat16 where the device computes with it by itself, so it may differ from machine
    to machine; a run's settings record what it was.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if _has_bfloat16(device) else "float32"


def _has_bfloat16(device: torch.device) -> bool:
    """True if the device has instructions for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in CPU_FEATURES)


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """The context in which a network computes; precision is a result of `resolve`."""
    assert precision in ("float32", "bfloat16"), precision
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
