"""Losses: the contract and the registry.

Every file `<name>.py` of this folder is one loss: its options and its sum over labelled pixels.
Files with an underscore are what losses share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from workbench.options import Choice, choose
from workbench.registry import Registry, import_plugins

IGNORE_INDEX = -1


class Loss(Choice, ABC):
    """Base of the options of a loss."""

    @abstractmethod
    def total(
        self, logits: Tensor, mask: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
    ) -> Tensor:
        """Return the loss summed over the labelled pixels, a scalar; 0 where there are none.

        The caller divides by their number in the whole batch: a chip with few labels then weighs
        by its pixels, and parts of a batch add up exactly. Pixels without a label get no gradient,
        however large their logits are.

        Args:
            logits: ``(B, K, y, x)`` float32.
            mask: ``(B, y, x)`` int64, `IGNORE_INDEX` where there is no label.
            weights: ``(K,)`` float32, what an error in each class counts; all 1 without.
            smoothing: Share of each label that is spread evenly over all classes, 0 to below 1.
        """


LOSSES: Registry[type[Loss]] = Registry("loss", "workbench.losses.LOSSES")


def register(loss: type[Loss]) -> type[Loss]:
    """Register the decorated options under their `kind`."""
    return LOSSES.add(loss.kind, loss)


def as_loss(value: Any) -> Loss:
    """Return the options for a name, for plain data with its `kind`, or as they are."""
    return choose(value, LOSSES, field="loss", example="Focal(gamma=2.0)")


import_plugins(__name__, __path__)

from workbench.losses.cross_entropy import CrossEntropy  # noqa: E402
from workbench.losses.dice import Dice  # noqa: E402
from workbench.losses.focal import Focal  # noqa: E402

__all__ = ["IGNORE_INDEX", "LOSSES", "CrossEntropy", "Dice", "Focal", "Loss", "as_loss", "register"]
