"""What families of plain vision transformers share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.errors import BandError, DataError, RecipeError
from workbench.models.backbones import Backbone


def block_indices(backbone: Backbone, blocks: Sequence[int] | None) -> list[int]:
    """Return the blocks asked for, counted from 0; all of them for None."""
    depth = len(backbone.blocks or ())
    if blocks is None:
        return list(range(depth))
    wrong = [index for index in blocks if not -depth <= index < depth]
    if wrong:
        raise RecipeError(f"{backbone.name} has {depth} blocks, 0 to {depth - 1}; asked: {wrong}.")
    return [index % depth for index in blocks]


def require_image(backbone: Backbone, image: Tensor, channels: Sequence[str]) -> None:
    """Raise the error of an image with other channels, or sides that are no whole patches."""
    patch = backbone.patch_size
    if image.ndim not in (4, 5) or image.shape[1] != len(channels):
        raise BandError(
            f"{backbone.name} takes images (B, {len(channels)}, H, W) or (B, {len(channels)}, T, "
            f"H, W) with the bands {', '.join(channels)}; got {tuple(image.shape)}."
        )
    height, width = image.shape[-2:]
    if min(height, width) < patch or height % patch or width % patch:
        raise DataError(
            f"The image is {height}×{width} pixels; {backbone.name} takes sides that are "
            f"multiples of its patch, {patch}. The assembled segmenter pads any size."
        )


def require_coords(family: type[Backbone], coords: Sequence[str]) -> None:
    """Raise the error of metadata that a family has no encoding of."""
    unknown = [coord for coord in coords if coord not in family.encodings]
    if unknown:
        raise RecipeError(
            f"coords={list(coords)}: {unknown} are not among {list(family.encodings)}, which "
            f"{family.__name__} encodes."
        )


def gsd_tensor(gsd: float | Tensor | None, default: float, image: Tensor) -> Tensor:
    """Return metres a pixel as ``(1,)``, or ``(B,)`` where every image has its own."""
    given = torch.as_tensor(default if gsd is None else gsd, dtype=torch.float32)
    values = given.to(image.device).reshape(-1)
    if len(values) not in (1, len(image)) or not bool((values > 0).all()):
        raise DataError(
            f"gsd={gsd!r}: expected metres a pixel, one number or one for each of {len(image)} "
            "images."
        )
    return values
