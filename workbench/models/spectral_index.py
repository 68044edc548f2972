"""Water indices as models: the baseline that needs no training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BandError

# Logits per unit of index: steep enough for a probability of 0.99 at 0.1 above the threshold.
STEEPNESS = 50.0


class IndexModel(nn.Module):
    """Normalised difference of two bands against a threshold.

    Attributes:
        bands: The two bands it takes, in order.
        threshold: Water is above it (a buffer, so that it is saved and moved with the model).
    """

    adapter: None = None
    description: Any = None
    threshold: Tensor

    def __init__(self, bands: tuple[str, str], threshold: float, water: int = 1) -> None:
        super().__init__()
        self.bands = bands
        self.water = water
        self.register_buffer("threshold", torch.tensor(float(threshold)))

    def index(self, image: Tensor) -> Tensor:
        """Return the index ``(B, y, x)`` of ``(B, 2, y, x)``; NaN where it is not defined."""
        if image.ndim != 4 or image.shape[1] != 2:
            raise BandError(
                f"The index takes images (B, 2, y, x) with the bands {', '.join(self.bands)}; "
                f"got {tuple(image.shape)}."
            )
        first, second = image[:, 0], image[:, 1]
        return (first - second) / (first + second)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, 2, y, x)`` float32; 0 for both classes where it is not defined."""
        above = torch.nan_to_num(self.index(image) - self.threshold, 0.0, 0.0, 0.0) * STEEPNESS
        scores = torch.stack([torch.zeros_like(above), above], dim=1).float()
        return scores if self.water == 1 else scores.flip(1)
