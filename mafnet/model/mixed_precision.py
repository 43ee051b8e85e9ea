"""The arithmetic of training and evaluation: float32, or bfloat16 where the machine has it."""

from contextlib import AbstractContextManager

import torch

CPU_FEATURES = ("avx512_bf16", "amx_bf16")
"""A CPU with none of these instructions is slower in bfloat16 than in float32."""


def resolve(precision: str, device: torch.device) -> str:
    """The precision that a value of the config means on a device: "float32" or "bfloat16".

    "auto" is bfloat16 if the device has instructions for it, so machines may differ. The settings
    of a run record the precision.
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
