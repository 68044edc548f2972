"""The linear decoder: one linear layer from a patch's feature to its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from workbench.models.decoders import DECODERS, Decoder


@DECODERS.register("linear")
class LinearDecoder(Decoder):
    """One transposed convolution, kernel and stride a patch, on the last feature map.

    The coarsest map of a pyramid is taken to at most 16 times its resolution, as that of the
    ViT-Adapter is in the reference, or `upsampling` times where that is given.

    Source: TerraTorch 1.2.13, LinearDecoder; its following 1x1 convolution between classes is
    left out, because two linear layers in a row are one.
    """

    summary: ClassVar[str] = "One linear layer on the last block: the smallest, blocky at patches."

    def __init__(
        self,
        num_features: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        upsampling: int | None = None,
    ) -> None:
        super().__init__(num_features, strides, num_classes)
        self.blocks = (len(num_features) - 1,)
        plain = len(set(strides)) == 1
        patch = upsampling or (strides[-1] if plain else min(strides[-1], 16))
        self.conv = nn.ConvTranspose2d(num_features[-1], num_classes, patch, patch)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, H, W)``, of a plain ViT at the resolution of the image."""
        # Where kernels do not overlap it is one matrix product, which takes a processor a fifth of
        # the transposed convolution's time.
        feature, side, bias = features[-1], self.conv.stride[0], self.conv.bias
        assert bias is not None
        batch, _, rows, columns = feature.shape
        pixels = feature.permute(0, 2, 3, 1) @ self.conv.weight.flatten(1)
        patches = pixels.view(batch, rows, columns, -1, side, side).permute(0, 3, 1, 4, 2, 5)
        return patches.reshape(batch, -1, rows * side, columns * side) + bias[:, None, None]
