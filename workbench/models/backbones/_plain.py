"""What families of plain vision transformers share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.errors import BandError, DataError, RecipeError
from workbench.models.backbones import Backbone


class PlainViT(Backbone):
    """Equal blocks in turn on the tokens of patches; families differ in how tokens are made.

    Attributes:
        norm: Behind the last block.
        cls_token: ``(1, 1, D)``, before the patches' tokens where there is a prefix.
    """

    norm: nn.Module
    cls_token: Tensor

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that `prepare` makes and `forward` takes."""
        return self.bands

    def embed(
        self,
        frames: Tensor,
        time: Tensor | None = None,
        location: Tensor | None = None,
        *,
        gsd: float | Tensor | None = None,
        month: int | Tensor | None = None,
    ) -> Tensor:
        """Return patch tokens ``(B, N, D)``, in the order of `token_grid`, with their encodings.

        Args:
            frames: ``(B, C, T, H, W)`` as `prepare` makes it; sides are multiples of the patch.
            time: As `encode` makes it.
            location: Likewise.
            gsd: Metres a pixel.
            month: Month of the frames.
        """
        raise NotImplementedError

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
        """Return the feature maps ``(B, T*D, h, w)`` of all blocks, or of those asked for.

        The last block's are normalised. Several tokens of a patch are averaged, those of several
        frames follow each other as channels.

        Args:
            image: ``(B, C, H, W)`` or ``(B, C, T, H, W)`` as `prepare` makes it; sides are
                multiples of the patch.
            time: As `encode` makes it, where the family takes it.
            location: Likewise.
            gsd: Metres a pixel, where the family takes it.
            month: 0 (January) to 11, where the family takes it.
            blocks: Indices of blocks; negative ones count from the end.
        """
        self.refuse(time=time, location=location, gsd=gsd, month=month)
        require_image(self, image, self.channels)
        wanted = block_indices(self, blocks)
        frames = image[:, :, None] if image.ndim == 4 else image
        tokens = self.embed(frames, time, location, gsd=gsd, month=month)
        if self.num_prefix_tokens:
            tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        outputs = self._run_blocks(tokens, wanted)
        grid = self.token_grid(image)
        return [_as_map(outputs[index][:, self.num_prefix_tokens :], grid) for index in wanted]

    def _run_blocks(self, tokens: Tensor, wanted: Sequence[int]) -> dict[int, Tensor]:
        """Return what the wanted blocks give; all of them run."""
        outputs: dict[int, Tensor] = {}
        last = len(self.blocks or ()) - 1
        for index, block in enumerate(self.blocks or ()):
            tokens = self._run_block(block, tokens)
            if index in wanted:
                outputs[index] = self.norm(tokens) if index == last else tokens
        return outputs

    def _run_block(self, block: nn.Module, tokens: Tensor) -> Tensor:
        return block(tokens)


def _as_map(tokens: Tensor, grid: tuple[int, int, int, int]) -> Tensor:
    """Return ``(B, T*D, h, w)`` from ``(B, T*h*w*n, D)``: means of n, the frames one by one."""
    return tokens.unflatten(1, grid).mean(dim=4).permute(0, 1, 4, 2, 3).flatten(1, 2)


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
        made = [channel for channel in channels if channel not in backbone.bands]
        raise BandError(
            f"{backbone.name} takes images (B, {len(channels)}, H, W) or (B, {len(channels)}, T, "
            f"H, W) with the bands {', '.join(channels)}; got {tuple(image.shape)}."
            + (f" backbone.prepare(image) adds {', '.join(made)}." if made else "")
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
