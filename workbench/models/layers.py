"""Layers that several networks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_bn_relu(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Normalize(nn.Module):
    """Z-scores by band; pixels that are not valid (NaN, infinite) become 0, the band's mean."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, image: Tensor) -> Tensor:
        """Return the z-scores of ``(B, C, ..., H, W)``."""
        shape = (-1,) + (1,) * (image.ndim - 2)
        scores = (image - self.mean.view(shape)) / self.std.view(shape)
        return torch.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
