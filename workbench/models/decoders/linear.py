"""The linear decoder: one linear layer from a patch's feature to its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from workbench.models.decoders import DECODERS, Decoder


@DECODERS.register("linear")
class LinearDecoder(Decoder):
    """One transposed convolution, kernel and stride a patch, on the last feature map.

    Source: TerraTorch 1.2.13, LinearDecoder; its following 1x1 convolution between classes is
    left out, because two linear layers in a row are one.
    """

    summary: ClassVar[str] = "One linear layer on the last block: the smallest, blocky at patches."

    def __init__(
        self, num_features: Sequence[int], strides: Sequence[int], num_classes: int
    ) -> None:
        super().__init__(num_features, strides, num_classes)
        self.blocks = (len(num_features) - 1,)
        patch = strides[-1]
        self.conv = nn.ConvTranspose2d(num_features[-1], num_classes, patch, patch)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, H, W)`` at the resolution of the image."""
        return self.conv(features[-1])
