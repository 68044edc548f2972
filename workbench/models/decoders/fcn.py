"""The fully convolutional decoder: upsample by two, convolve; again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.models.decoders import DECODERS, Decoder


class _ChannelNorm(nn.Module):
    """LayerNorm over the channels of a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, features: Tensor) -> Tensor:
        return self.ln(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, 2),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        _ChannelNorm(outputs),
        nn.GELU(),
    )


@DECODERS.register("fcn")
class FCNDecoder(Decoder):
    """Stages of transposed convolution, convolution and LayerNorm on the last feature map.

    Each stage doubles the resolution: four take a patch of 16 to its pixels. Source: TerraTorch
    1.2.13, FCNDecoder, whose defaults are 256 channels and four stages.
    """

    summary: ClassVar[str] = "Convolutions on the last block only: smoother than linear, no skips."

    def __init__(
        self,
        num_features: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        channels: int = 256,
        num_convs: int = 4,
    ) -> None:
        super().__init__(num_features, strides, num_classes)
        if num_convs < 1:
            raise RecipeError(
                f"The decoder 'fcn' needs at least 1 stage; got num_convs={num_convs}."
            )
        self.blocks = (len(num_features) - 1,)
        inputs = (num_features[-1], *(channels for _ in range(num_convs - 1)))
        self.convs = nn.Sequential(*(_stage(width, channels) for width in inputs))
        self.head = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, h, w)`` at `2 ** num_convs` times the last map's resolution."""
        return self.head(self.convs(features[-1]))
