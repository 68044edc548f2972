"""The loss: cross-entropy over labelled pixels, as a sum and its number of pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

IGNORE_INDEX = -1


def cross_entropy_sum(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the summed cross-entropy of the labelled pixels, a scalar.

    The caller divides by their number in the whole batch: a chip with few labels then weighs
    by its pixels, and parts of a batch add up exactly.

    Args:
        logits: ``(B, K, y, x)`` float.
        mask: ``(B, y, x)`` int64, `IGNORE_INDEX` where there is no label.
    """
    return functional.cross_entropy(logits, mask, ignore_index=IGNORE_INDEX, reduction="sum")


def confusion_by_region(logits: Tensor, mask: Tensor, regions: Tensor, num_regions: int) -> Tensor:
    """Count pixels by region, true class and predicted class on the device of `logits`.

    Args:
        logits: ``(B, K, y, x)``.
        mask: ``(B, y, x)`` int64.
        regions: ``(B,)`` int64, 0 to `num_regions` - 1.
        num_regions: Number of regions R.

    Returns:
        ``(R, K, K)`` int64.
    """
    classes = logits.shape[1]
    cells = (regions[:, None, None] * classes + mask) * classes + logits.argmax(1)
    counts = torch.bincount(cells[mask != IGNORE_INDEX], minlength=num_regions * classes**2)
    return counts.reshape(num_regions, classes, classes)
