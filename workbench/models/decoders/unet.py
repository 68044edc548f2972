"""The U-Net decoder: upsample, join the finer feature map, convolve; again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.models.decoders import DECODERS, Decoder
from workbench.models.layers import conv_bn_relu
from workbench.models.pyramid import LearnedPyramid, quarters


class _Block(nn.Module):
    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv_bn_relu(inputs + skip, outputs)
        self.conv2 = conv_bn_relu(outputs, outputs)

    def forward(self, current: Tensor, skip: Tensor | None) -> Tensor:
        if skip is None:
            return self.conv2(self.conv1(current))
        current = F.interpolate(current, size=skip.shape[-2:], mode="nearest")
        convolution, *rest = self.conv1
        # The convolution of the two joined, a part each: nothing is copied to join them, and
        # gradients come back whole rather than as slices, which normalisation is slow with.
        weight = cast(nn.Conv2d, convolution).weight
        of_current, of_skip = weight.split([current.shape[1], skip.shape[1]], dim=1)
        joined = F.conv2d(current, of_current, padding=1) + F.conv2d(skip, of_skip, padding=1)
        for layer in rest:
            joined = layer(joined)
        return self.conv2(joined)


@DECODERS.register("unet")
class UNetDecoder(Decoder):
    """U-Net decoder over a pyramid; a plain ViT's maps of four blocks become one first.

    Where the finest map is coarser than the image, one more block follows at its resolution.
    Source: Ronneberger et al. 2015; numbers as in TerraTorch 1.2.13, whose UNetDecoder hands the
    finest map twice to that of segmentation_models_pytorch, so that its last block upsamples to
    the size it has.
    """

    summary: ClassVar[str] = "Joins four depths from coarse to fine: sharp edges. Start here."

    def __init__(
        self,
        num_features: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        channels: Sequence[int] = (512, 256, 128, 64),
    ) -> None:
        super().__init__(num_features, strides, num_classes)
        plain = len(set(strides)) == 1
        self.blocks = quarters(len(strides)) if plain else tuple(range(len(strides)))
        self.neck = LearnedPyramid(num_features[-1]) if plain else None
        widths = self.neck.num_features if self.neck else tuple(num_features)
        finest = strides[0] / 4 if plain else strides[0]
        skips = [*reversed(widths[:-1]), *([0] if finest > 1 else [])]
        if len(channels) < len(skips):
            raise RecipeError(
                f"The decoder 'unet' needs {len(skips)} channels here; got {list(channels)}."
            )
        outputs = list(channels[: len(skips)])
        inputs = [widths[-1], *outputs[:-1]]
        self.stages = nn.ModuleList(map(_Block, inputs, skips, outputs))
        self.head = nn.Conv2d(outputs[-1], num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, h, w)`` at the resolution of the finest map."""
        maps = self.neck(features) if self.neck else list(features)
        current = maps[-1]
        skips: list[Tensor | None] = [*reversed(maps[:-1]), None]
        for stage, skip in zip(self.stages, skips, strict=False):
            current = stage(current, skip)
        return self.head(current)
