"""A model that computes the frozen features of an image once."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.models.decoders.pixelwise import PixelwiseDecoder
from workbench.models.segmenter import Segmenter, pad_to_multiple
from workbench.training.features import Frozen


class KeptFeatures(Segmenter):
    """A segmenter with a frozen backbone that finds what it computed before by the pixels.

    Whoever asks for the same window again, another round of training or `wb.predict`, gets the
    features from the cache on disk.

    Args:
        model: What to keep features of; its modules are shared, its decoder is copied.
        frozen: Where they are kept.
    """

    decoder: PixelwiseDecoder

    def __init__(self, model: Segmenter, frozen: Frozen) -> None:
        super().__init__(model.normalize, model.backbone, copy.deepcopy(model.decoder))
        self.adapter, self.description, self.coords = model.adapter, model.description, model.coords
        self.frozen = frozen

    def features(self, image: Tensor, time: Tensor | None = None, location: Tensor | None = None,
                 *, blocks: Sequence[int] | None = None) -> list[Tensor]:
        """Return what `Segmenter.features` does; images alone are looked up first."""
        if time is not None or location is not None or blocks is not None:
            return super().features(image, time, location, blocks=blocks)
        pixels = image.cpu()
        names = [_name(chip) for chip in pixels]
        found = [self.frozen.find(name) for name in names]
        for place, maps in enumerate(found):
            if maps is None:
                [found[place]] = self.frozen.compute(names[place : place + 1],
                                                     pixels[place : place + 1])
        chips = [maps for maps in found if maps is not None]
        return [torch.stack([entry.to(image.device) for entry in level]).float()
                for level in zip(*chips, strict=True)]

    def vectors(self, image: Tensor) -> Tensor:
        """Return what the head is applied to in each pixel of images, ``(B, N, y, x)``."""
        _, top, left = pad_to_multiple(image, self.backbone.size_multiple)
        height, width = image.shape[-2:]
        whole = self.decoder.vectors(self.features(image))
        return whole[..., top : top + height, left : left + width]


def _name(chip: Tensor) -> str:
    digest = hashlib.blake2b(chip.contiguous().numpy().tobytes(), digest_size=16).hexdigest()
    return repr(("window", tuple(chip.shape), digest))
