"""A rise, then half a cosine down to nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from workbench.schedules import Schedule, register


@register
class Cosine(Schedule):
    """Let the rate rise over the first steps, then fall along half a cosine until the last epoch.

    Source: Loshchilov & Hutter 2017, "SGDR" (arXiv:1608.03983), without restarts; the linear rise
    is Goyal et al. 2017 (arXiv:1706.02677).
    """

    kind: ClassVar[str] = "cosine"
    summary: ClassVar[str] = (
        "Up, then gently down to the last epoch: for trainings whose length you chose; early "
        "stopping would cut its best part off, so give it patience."
    )

    warmup: float = Field(
        default=0.05, ge=0, lt=1, description="Share of all steps in which the rate rises."
    )
    floor: float = Field(
        default=0.0, ge=0, le=1, description="Share of the peak rate that it ends with."
    )

    def scale(self, step: int, steps: int, val_losses: Sequence[float]) -> float:
        """Return the share of the peak that belongs to a step."""
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        done = (step - rising) / max(steps - rising, 1)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
