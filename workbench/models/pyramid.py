"""The neck that turns the feature maps of a plain ViT, all of one size, into a pyramid."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn


def quarters(depth: int) -> tuple[int, ...]:
    """Return the last block of each quarter of a network: 12 blocks give 2, 5, 8, 11."""
    return tuple(math.ceil((part + 1) * depth / 4) - 1 for part in range(4))


class LearnedPyramid(nn.Module):
    """Four maps of one stride s and D channels to strides s/4, s/2, s, 2s.

    They then have D/4, D/2, D and D channels. Source: TerraTorch 1.2.13,
    LearnedInterpolateToPyramidal, after ViTDet (Li et al. 2022).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.fpn1 = nn.Sequential(
            nn.ConvTranspose2d(channels, half, 2, 2),
            nn.BatchNorm2d(half),
            nn.GELU(),
            nn.ConvTranspose2d(half, quarter, 2, 2),
        )
        self.fpn2 = nn.Sequential(nn.ConvTranspose2d(channels, half, 2, 2))
        self.fpn4 = nn.MaxPool2d(2, 2)
        self.num_features = (quarter, half, channels, channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the four maps, finest first."""
        first, second, third, fourth = features
        return [self.fpn1(first), self.fpn2(second), third, self.fpn4(fourth)]
