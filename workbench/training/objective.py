"""What training lowers, and what validation counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.data import Dataset
from workbench.errors import RecipeError
from workbench.losses import IGNORE_INDEX, CrossEntropy, Loss
from workbench.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss with its weights of classes.

    Attributes:
        loss: Which.
        weights: ``(K,)`` float32 on the model's device; None counts all classes alike.
        smoothing: Share of each label that is spread evenly over all classes.
    """

    loss: Loss = dataclasses.field(default_factory=CrossEntropy)
    weights: Tensor | None = None
    smoothing: float = 0.0

    @staticmethod
    def of(recipe: Recipe, weights: Sequence[float] | None, device: torch.device) -> Objective:
        """Return the objective of a recipe; `weights` as `class_weights` returns them."""
        there = None if weights is None else torch.tensor(weights, device=device)
        return Objective(recipe.loss, there, recipe.label_smoothing)

    def total(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the loss summed over labelled pixels, a scalar; see `Loss.total`."""
        return self.loss.total(logits, mask, self.weights, self.smoothing)


def class_weights(recipe: Recipe, train: Dataset) -> list[float] | None:
    """Return what an error in each class counts; None where all count alike.

    "balanced" lets every class count alike in sum, and a pixel of the training part 1 on average;
    a class without any pixel there counts nothing.

    Raises:
        RecipeError: The weights given are not one for each class.
    """
    if recipe.class_weights is None:
        return None
    if recipe.class_weights == "balanced":
        counts = np.asarray(train.class_counts(), dtype=float)
        present = counts > 0
        shares = np.divide(counts.sum(), counts * present.sum(), out=counts * 0, where=present)
        return [float(share) for share in shares]
    if len(recipe.class_weights) != train.num_classes:
        names = ", ".join(entry.name for entry in train.classes)
        raise RecipeError(
            f"class_weights={list(recipe.class_weights)!r} has {len(recipe.class_weights)} entries "
            f"for {train.num_classes} classes ({names}): give one for each, or 'balanced'."
        )
    return list(recipe.class_weights)


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
