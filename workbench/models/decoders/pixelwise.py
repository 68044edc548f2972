"""The pixelwise decoder: one linear layer on a pixel's features and on its own bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.decoders import DECODERS, Decoder


@DECODERS.register("pixelwise")
class PixelwiseDecoder(Decoder):
    """One linear layer, shared by all pixels, on the last feature map and on the input's bands.

    Between the centres of patches features are interpolated. A label therefore teaches every pixel
    alike, wherever in its patch it lies, which the decoder "linear" (a layer for each place in a
    patch) cannot learn from a few points. The bands bring back the edges that patches blur; with
    their size beside them the layer tells the dark and the bright from what lies between.
    """

    summary: ClassVar[str] = (
        "One linear layer on a pixel's features and bands: learns from a few points or polygons."
    )
    sees_image: ClassVar[bool] = True

    def __init__(
        self,
        num_features: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        num_bands: int,
    ) -> None:
        super().__init__(num_features, strides, num_classes)
        self.blocks = (len(num_features) - 1,)
        self.groups = (num_features[-1], 2 * num_bands)
        self.head = nn.Conv2d(sum(self.groups), num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, H, W)`` at the resolution of the image."""
        last, image = features
        context, own = self.head.weight.split(self.groups, dim=1)
        # Interpolating K scores instead of D features comes to the same: both are linear.
        scores = F.conv2d(last, context, self.head.bias)
        return _resized(scores, image) + F.conv2d(_with_size(image), own)

    @torch.no_grad()
    def set_head(self, weight: Tensor, bias: Tensor) -> None:
        """Take over a layer that was solved elsewhere: ``(K, N)`` and ``(K,)`` on `vectors`."""
        assert self.head.bias is not None
        self.head.weight.copy_(weight[:, :, None, None])
        self.head.bias.copy_(bias)

    def vectors(self, features: Sequence[Tensor]) -> Tensor:
        """Return what the layer is applied to in each pixel, ``(B, D + 2 C, H, W)``."""
        last, image = features
        return torch.cat([_resized(last, image), _with_size(image)], dim=1)


def _with_size(image: Tensor) -> Tensor:
    return torch.cat([image, image.abs()], dim=1)


def _resized(maps: Tensor, image: Tensor) -> Tensor:
    return F.interpolate(maps, size=image.shape[-2:], mode="bilinear")
