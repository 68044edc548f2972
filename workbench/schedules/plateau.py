"""A lower rate where the validation loss no longer falls: the paper's schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from workbench.schedules import Schedule, register

# The share by which a loss must be lower to count as lower (ReduceLROnPlateau's default).
_THRESHOLD = 1e-4


@register
class Plateau(Schedule):
    """Multiply the rate by `factor` after more than `patience` epochs without a lower loss.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau; 4 and 0.5 are the PEFT paper's
    (IBM/peft-geofm, configs).
    """

    kind: ClassVar[str] = "plateau"
    summary: ClassVar[str] = "The paper's: lower where training stalls, whatever its length."

    patience: int = Field(
        default=4, ge=0, description="Epochs without a lower validation loss before a lower rate."
    )
    factor: float = Field(
        default=0.5, gt=0, lt=1, description="What the learning rate is then multiplied by."
    )

    def scale(self, step: int, steps: int, val_losses: Sequence[float]) -> float:
        """Return `factor` to the power of the plateaus so far."""
        best, waited, plateaus = math.inf, 0, 0
        for loss in val_losses:
            waited += 1
            if loss < best * (1 - _THRESHOLD):
                best, waited = loss, 0
            elif waited > self.patience:
                waited, plateaus = 0, plateaus + 1
        return self.factor**plateaus
