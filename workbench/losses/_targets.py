"""Labels as shares of each class; shared by the losses that compare probabilities with them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from workbench.losses import IGNORE_INDEX


def shares(mask: Tensor, num_classes: int, smoothing: float, dtype: torch.dtype) -> Tensor:
    """Return ``(B, K, y, x)``: 1 for the label, smoothed; 0 everywhere without one."""
    valid = mask != IGNORE_INDEX
    hard = functional.one_hot(mask.clamp(min=0), num_classes).movedim(-1, 1).to(dtype)
    return ((1 - smoothing) * hard + smoothing / num_classes) * valid[:, None]
