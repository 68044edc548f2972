"""Dice loss: the overlap of label and prediction, class by class."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from workbench.losses import IGNORE_INDEX, Loss, register
from workbench.losses._targets import shares


@register
class Dice(Loss):
    """One minus the Dice overlap of probabilities and labels, by chip.

    Of a chip, the mean over the classes it has labels of; chips weigh by their labelled pixels.
    Source: Sudre et al. 2017 (arXiv:1707.03237), without squares; absent classes left out as in
    segmentation_models_pytorch.
    """

    kind: ClassVar[str] = "dice"
    summary: ClassVar[str] = (
        "Every class counts alike however few pixels it has; steps are noisier, probabilities "
        "less calibrated."
    )

    def total(
        self, logits: Tensor, mask: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
    ) -> Tensor:
        """Return the summed loss: that of each chip times its number of labelled pixels."""
        classes, valid = logits.shape[1], mask != IGNORE_INDEX
        truth = shares(mask, classes, smoothing, logits.dtype)
        told = logits.softmax(1) * valid[:, None]
        overlap = 2 * (told * truth).sum((2, 3)) / (told + truth).sum((2, 3)).clamp(min=1e-6)
        present = shares(mask, classes, 0.0, logits.dtype).amax((2, 3))
        if weights is not None:
            present = present * weights
        by_chip = ((1 - overlap) * present).sum(1) / present.sum(1).clamp(min=1e-6)
        return (by_chip * valid.sum((1, 2))).sum()
