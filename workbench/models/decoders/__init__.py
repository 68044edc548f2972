"""Decoders: the contract and the registry.

Every other file of this folder is one decoder. A decoder knows of a backbone only the channels
and strides of its features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.registry import Registry, import_plugins


class Decoder(nn.Module):
    """A network from feature maps to class scores at its own resolution.

    Attributes:
        summary: One sentence on what it does.
        sees_image: Whether it takes the normalised bands ``(B, C, H, W)`` too, as a last map; it is
            then made with the option `num_bands`.
        blocks: Which of the backbone's feature maps it takes.
    """

    summary: ClassVar[str]
    sees_image: ClassVar[bool] = False
    blocks: tuple[int, ...]

    def __init__(
        self, num_features: Sequence[int], strides: Sequence[int], num_classes: int, **options: Any
    ) -> None:
        super().__init__()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores ``(B, K, h, w)`` from what `Segmenter.features` returns."""
        raise NotImplementedError


DECODERS: Registry[type[Decoder]] = Registry("decoder", "wb.decoders()")

import_plugins(__name__, __path__)
