"""The contracting half of a U-Net: the baseline that is trained from nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.errors import BandError, RecipeError
from workbench.models.backbones import FAMILIES, HLS_BANDS, Backbone, Facts, publish
from workbench.models.layers import conv_bn_relu


@FAMILIES.register("unet_encoder")
class UNetEncoder(Backbone):
    """Two 3x3 convolutions a level, halved by max pooling; the finest level is the image's.

    The bands of several dates are its channels, one after the other.

    Source: Ronneberger et al. 2015 (arXiv:1505.04597), with padding and batch normalisation.
    """

    max_frames = None

    def __init__(
        self,
        *,
        bands: tuple[str, ...],
        image_size: tuple[int, int] = (128, 128),
        num_frames: int = 1,
        coords: tuple[str, ...] = (),
        widths: Sequence[int] = (16, 32, 64, 128, 256),
    ) -> None:
        super().__init__()
        if coords:
            raise RecipeError("unet_encoder takes neither time nor location.")
        self.bands = bands
        self.num_frames = num_frames
        self.num_features = tuple(widths)
        self.strides = tuple(2**level for level in range(len(widths)))
        self.patch_size = self.size_multiple = self.strides[-1]
        self.blocks = None
        self.levels = nn.ModuleList(
            nn.Sequential(conv_bn_relu(inputs, outputs), conv_bn_relu(outputs, outputs))
            for inputs, outputs in zip((len(bands) * num_frames, *widths), widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)

    @property
    def sections(self) -> list[nn.Module]:
        """The levels."""
        return list(self.levels)

    def forward(
        self,
        image: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
        blocks: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return the feature maps ``(B, D, H, W)`` of all levels, or of those asked for."""
        self.refuse(time=time, location=location, gsd=gsd, month=month)
        frames = () if self.num_frames == 1 else (self.num_frames,)
        if image.ndim != 4 + len(frames) or image.shape[1:-2] != (len(self.bands), *frames):
            shape = ", ".join(map(str, ("B", len(self.bands), *frames, "H", "W")))
            raise BandError(
                f"{self.name} takes images ({shape}) with the bands "
                f"{', '.join(self.bands)}; got {tuple(image.shape)}."
            )
        # A fifth faster on CPUs.
        current = image.flatten(1, -3).contiguous(memory_format=torch.channels_last)
        outputs = []
        for index, level in enumerate(self.levels):
            current = level(self.pool(current) if index else current)
            outputs.append(current)
        return outputs if blocks is None else [outputs[index] for index in blocks]


publish(
    Facts(
        name="unet_encoder",
        family="unet_encoder",
        bands=HLS_BANDS,
        image_size=128,
        decoders={
            "unet": {"channels": (128, 64, 32, 16)},
            "upernet": {"channels": 32},
            "fcn": {"channels": 64, "num_convs": 4},
        },
        licence="–",
        about="trained from nothing: the baseline to beat",
    )
)
