"""Layers that several networks share."""

from __future__ import annotations

from torch import nn


def conv_bn_relu(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
