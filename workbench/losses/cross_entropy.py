"""Cross-entropy, the paper's loss."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from workbench.losses import IGNORE_INDEX, Loss, register


@register
class CrossEntropy(Loss):
    """Minus the logarithm of the probability of the label."""

    kind: ClassVar[str] = "cross_entropy"
    summary: ClassVar[str] = "The paper's, and calibrated: start here."

    def total(
        self, logits: Tensor, mask: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
    ) -> Tensor:
        """Return the summed cross-entropy."""
        return functional.cross_entropy(
            logits, mask, weights, ignore_index=IGNORE_INDEX, reduction="sum",
            label_smoothing=smoothing,
        )  # fmt: skip
