"""The number format of matrix products; weights, losses and optimiser states stay float32."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["fp32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(asked: Literal["auto"] | Precision, device: torch.device) -> Precision:
    """Return what `auto` means on a device: bf16 on CUDA that computes with it, else fp32.

    On CPUs fp32 is the one that gives the same result on all of them.
    """
    if asked != "auto":
        return asked
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if native else "fp32"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context in which a model computes in a precision."""
    return torch.autocast(
        device.type, dtype=_TYPES.get(precision), enabled=precision in _TYPES
    )
