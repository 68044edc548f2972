"""The assembled model: physical units in, class scores for every pixel out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BandError, DataError
from workbench.models.backbones import Backbone
from workbench.models.decoders import Decoder
from workbench.models.layers import Normalize
from workbench.models.metadata import Dates, LonLat

__all__ = ["Normalize", "Segmenter", "pad_to_multiple"]

T = TypeVar("T")


class Segmenter(nn.Module):
    """Normalisation, backbone and decoder; any image size, padded without a trace.

    Attributes:
        adapter: What the PEFT method added to the backbone; None before one was applied.
        description: What the model is rebuilt from and used with.
        coords: Which of `time` and `location` it was made to be told.
    """

    adapter: Any = None
    description: Any = None
    coords: tuple[str, ...] = ()

    def __init__(self, normalize: nn.Module, backbone: Backbone, decoder: Decoder) -> None:
        super().__init__()
        self.normalize = normalize
        self.backbone = backbone
        self.decoder = decoder

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands it takes, in order."""
        return self.backbone.bands

    @property
    def trains_backbone(self) -> bool:
        """Whether gradients flow through the backbone."""
        return self.adapter is None or self.adapter.trains_backbone

    def train(self, mode: bool = True) -> Segmenter:
        """Set the training mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if not self.trains_backbone:
            self.backbone.eval()
        return self

    def encode(
        self, dates: Sequence[Dates | None], lonlat: Sequence[LonLat | None]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return time and location of images as `forward` takes them; None for what it is not told.

        Args:
            dates: ISO date of each image, or one for each of its frames.
            lonlat: Longitude and latitude of each image's centre in degrees.
        """
        time, location = "time" in self.coords, "location" in self.coords
        return self.backbone.encode(
            _known(dates, "date") if time else None,
            _known(lonlat, "position") if location else None,
        )

    def forward(
        self, image: Tensor, time: Tensor | None = None, location: Tensor | None = None
    ) -> Tensor:
        """Return logits ``(B, K, y, x)`` float32.

        Args:
            image: ``(B, C, y, x)`` or ``(B, C, time, y, x)`` in physical units, NaN where not
                valid.
            time: As `encode` returns it; without it the backbone leaves that term out.
            location: Likewise.
        """
        return self.decode(self.features(image, time, location), image.shape[-2:])

    def features(
        self,
        image: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        blocks: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return the backbone's feature maps that the decoder takes; the arguments of `forward`.

        `blocks` asks for those of other blocks, for several decoders on one backbone.
        """
        bands = self.backbone.bands
        if image.ndim not in (4, 5) or image.shape[1] != len(bands):
            raise BandError(
                f"The model takes images (B, {len(bands)}, y, x) with the bands "
                f"{', '.join(bands)}; got {tuple(image.shape)}."
            )
        self._require_frames(image)
        padded, _, _ = pad_to_multiple(self.normalize(image), self.backbone.size_multiple)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trains_backbone):
            wanted = self.decoder.blocks if blocks is None else blocks
            maps = self.backbone(padded, time, location, blocks=wanted)
        if blocks is None and self.decoder.sees_image:
            # Bands come first: an input layer may add an index of its own. Frames are channels.
            maps = [*maps, padded[:, : len(bands)].flatten(1, -3)]
        return maps

    def _require_frames(self, image: Tensor) -> None:
        """Raise the error of another number of frames than channels of features were made for."""
        if not self.backbone.embed_dim:
            return
        built = self.backbone.num_features[-1] // self.backbone.embed_dim
        given = self.backbone.token_grid(image)[0]
        if given != built:
            raise DataError(
                f"The model was built for {built} frame{'s' if built > 1 else ''}; the image "
                f"{tuple(image.shape)} has {given}. Build it with num_frames={given}."
            )

    def decode(self, features: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Return logits ``(B, K, y, x)`` float32 from what `features` returns.

        Args:
            features: Feature maps of images.
            size: Rows and columns of the images, before they were padded.
        """
        height, width = size
        top, bottom = _split_padding(height, self.backbone.size_multiple)
        left, right = _split_padding(width, self.backbone.size_multiple)
        padded = top + height + bottom, left + width + right
        logits = self.decoder(features).float()
        if logits.shape[-2:] != padded:
            logits = F.interpolate(logits, size=padded, mode="bilinear")
        return logits[..., top : top + height, left : left + width]


def _known(entries: Sequence[T | None], what: str) -> list[T]:
    known = [entry for entry in entries if entry is not None]
    if len(known) < len(entries):
        raise DataError(f"The model is told the {what} of every image; {len(entries) - len(known)} "
                        f"of {len(entries)} have none.")  # fmt: skip
    return known


def pad_to_multiple(image: Tensor, multiple: int) -> tuple[Tensor, int, int]:
    """Pad the last two axes to multiples, mirrored, and return rows above and columns left.

    The padding is split between both sides, as in TerraTorch 1.2.13; an image narrower than its
    padding has its edge repeated, because it has too little to mirror.
    """
    top, bottom = _split_padding(image.shape[-2], multiple)
    left, right = _split_padding(image.shape[-1], multiple)
    if not (top or bottom or left or right):
        return image, 0, 0
    fits = bottom < image.shape[-2] and right < image.shape[-1]
    maps = image.flatten(0, -4)
    padded = F.pad(maps, (left, right, top, bottom), mode="reflect" if fits else "replicate")
    return padded.unflatten(0, image.shape[:-3]), top, left


def _split_padding(size: int, multiple: int) -> tuple[int, int]:
    total = -size % multiple
    return total // 2, total - total // 2
