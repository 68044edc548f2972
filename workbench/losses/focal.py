"""Focal loss: what is already right counts less."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from workbench.losses import Loss, register
from workbench.losses._targets import shares

# Below it the derivative of (1 - p)^gamma is infinite for gamma below 1.
_SURE = 1e-6


@register
class Focal(Loss):
    """Cross-entropy times (1 - p) to the power of gamma.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection" (arXiv:1708.02002), for several
    classes by softmax; its alpha is the recipe's `class_weights`.
    """

    kind: ClassVar[str] = "focal"
    summary: ClassVar[str] = "Looks at hard pixels: for classes that are rare and easily missed."

    gamma: float = Field(
        default=2.0,
        ge=0,
        description="How much less pixels count that are right; 0 is cross-entropy, 2 is usual.",
    )

    def total(
        self, logits: Tensor, mask: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
    ) -> Tensor:
        """Return the summed focal loss."""
        logs = logits.log_softmax(1)
        wrong = (-torch.expm1(logs)).clamp(min=_SURE)
        losses = -shares(mask, logits.shape[1], smoothing, logs.dtype) * wrong**self.gamma * logs
        if weights is not None:
            losses = losses * weights.view(-1, 1, 1)
        return losses.sum()
