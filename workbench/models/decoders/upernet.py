"""The UPerNet decoder: a pooling pyramid at the coarsest map, a feature pyramid above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.decoders import DECODERS, Decoder
from workbench.models.pyramid import LearnedPyramid, quarters


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that takes its running statistics where a batch has one value.

    The coarsest pool leaves one pixel: in a batch of one chip there is nothing to take a variance
    of, and the plain layer refuses to train.
    """

    def forward(self, features: Tensor) -> Tensor:
        if self.training and features.numel() == features.shape[1]:
            return F.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(features)


class _Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = _BatchNorm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(features)))


def _resized(features: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=True)


@DECODERS.register("upernet")
class UPerNetDecoder(Decoder):
    """Pyramid pooling over a feature pyramid; a plain ViT's maps of four blocks become one first.

    Source: Xiao et al. 2018, "Unified Perceptual Parsing" (arXiv:1807.10221); numbers as in
    TerraTorch 1.2.13, UperNetDecoder (pools of 1, 2, 3 and 6, corners aligned, 256 channels).
    """

    summary: ClassVar[str] = "Pools context at four scales and joins four depths: large objects."

    def __init__(
        self,
        num_features: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        channels: int = 256,
        pools: Sequence[int] = (1, 2, 3, 6),
    ) -> None:
        super().__init__(num_features, strides, num_classes)
        plain = len(set(strides)) == 1
        self.blocks = quarters(len(strides)) if plain else tuple(range(len(strides)))
        self.neck = LearnedPyramid(num_features[-1]) if plain else None
        *finer, coarsest = self.neck.num_features if self.neck else tuple(num_features)
        self.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), _Conv(coarsest, channels, 1))
            for size in pools
        )
        self.bottleneck = _Conv(coarsest + len(pools) * channels, channels, 3)
        self.lateral_convs = nn.ModuleList(_Conv(width, channels, 1) for width in finer)
        self.fpn_convs = nn.ModuleList(_Conv(channels, channels, 3) for _ in finer)
        self.fpn_bottleneck = _Conv((len(finer) + 1) * channels, channels, 3)
        self.head = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, h, w)`` at the resolution of the finest map."""
        *finer, coarsest = self.neck(features) if self.neck else list(features)
        pooled = [_resized(pool(coarsest), coarsest) for pool in self.psp_modules]
        current = self.bottleneck(torch.cat([coarsest, *pooled], dim=1))
        outputs = [current]
        # From coarse to fine: each level adds what lies below it.
        for index in reversed(range(len(finer))):
            lateral = self.lateral_convs[index](finer[index])
            current = lateral + _resized(current, lateral)
            outputs.insert(0, self.fpn_convs[index](current))
        joined = [outputs[0], *(_resized(entry, outputs[0]) for entry in outputs[1:])]
        return self.head(self.fpn_bottleneck(torch.cat(joined, dim=1)))
