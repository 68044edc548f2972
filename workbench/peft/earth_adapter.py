"""Earth-Adapter: small residual experts for low and high spatial frequencies of the features."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.peft import Adapter, Backbone, Method, Site, register
from workbench.peft._graft import Graft, Grafted, Handle, no_blocks

Grid = tuple[int, int, int, int]


def low_pass(tokens: Tensor, cutoff: float) -> Tensor:
    """Return the low spatial frequencies of tokens ``(B, outer, rows, columns, inner, D)``.

    They are a square around zero in the spectrum, `cutoff` of the shorter side wide, and at least
    two frequencies wide, so that the mean is always among them.
    """
    rows, columns = tokens.shape[2:4]
    half = max(1, int(min(rows, columns) * cutoff // 2))
    mask = torch.zeros(rows, columns, device=tokens.device)
    row, column = rows // 2, columns // 2
    mask[max(row - half, 0) : row + half, max(column - half, 0) : column + half] = 1
    mask = torch.fft.ifftshift(mask)[:, :, None, None]
    # Transforms exist in full precision only, whatever autocast says.
    spectrum = torch.fft.fft2(tokens.float(), dim=(2, 3))
    return torch.fft.ifft2(spectrum * mask, dim=(2, 3)).real.to(tokens.dtype)


class _Expert(nn.Sequential):
    def __init__(self, dim: int, width: int) -> None:
        super().__init__(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, dim))


class _Experts(nn.Module):
    """The residual of one block: one expert, or three that a router weighs for every token."""

    def __init__(self, dim: int, width: int, cutoff: float, *, mixed: bool) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.full = _Expert(dim, width)
        self.low = _Expert(dim, width) if mixed else None
        self.high = _Expert(dim, width) if mixed else None
        self.router = nn.Linear(dim, 3) if mixed else None

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Return patch tokens ``(B, N, D)`` with the residual added."""
        delta = self.full(tokens)
        if self.low is not None and self.high is not None and self.router is not None:
            low = low_pass(tokens.unflatten(1, grid), self.cutoff).flatten(1, 4)
            experts = torch.stack([delta, self.low(low), self.high(tokens - low)], dim=-1)
            weights = self.router(tokens).softmax(dim=-1)[:, :, None]
            delta = (experts * weights).sum(dim=-1)
        return tokens + self.scale * delta


class _EarthGraft(Graft):
    def __init__(self, backbone: Backbone, options: EarthAdapter) -> None:
        super().__init__()
        depth = len(backbone.blocks or ())
        mixed = options.mixed_blocks(depth)
        self.prefix = backbone.num_prefix_tokens
        self.mixed = tuple(mixed)
        self.blocks = nn.ModuleList(
            _Experts(backbone.embed_dim, options.width, options.cutoff, mixed=index in mixed)
            for index in range(depth)
        )
        self._grid: Grid = (1, 1, 1, 1)

    def attach(self, backbone: Any) -> list[Handle]:
        """Note the grid of every image, and add the residual behind every block."""
        handles: list[Handle] = [
            backbone.register_forward_pre_hook(self._note_grid, with_kwargs=True)
        ]
        for index, block in enumerate(backbone.blocks):
            handles.append(block.register_forward_hook(partial(self._add, index)))
        return handles

    def sites(self) -> tuple[Site, ...]:
        """Return the blocks with one expert and those with three."""
        plain = tuple(index for index in range(len(self.blocks)) if index not in self.mixed)
        places = (
            Site("behind", plain, "added behind each block", ("expert",)),
            Site("behind", self.mixed, "weighed by a router", ("all", "low freq.", "high freq.")),
        )
        return tuple(site for site in places if site.blocks)

    def _note_grid(self, backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._grid = backbone.token_grid(args[0] if args else kwargs["image"])

    def _add(self, index: int, block: nn.Module, args: tuple[Any, ...], tokens: Tensor) -> Tensor:
        end = self.prefix + math.prod(self._grid)
        patches = self.blocks[index](tokens[:, self.prefix : end], self._grid)
        return torch.cat([tokens[:, : self.prefix], patches, tokens[:, end:]], dim=1)


class _Adapted(Grafted):
    identity_at_start = False


@register
class EarthAdapter(Method):
    """Add a bottleneck behind every block; in some, experts for low and high frequencies.

    Source: Hu et al. 2025, "Earth-Adapter" (arXiv:2504.06220); code: VisionXLab/Earth-Adapter,
    earth_adapter.py, at 2190fa8, made free of its sizes (24 blocks of 1024, 32×32 tokens). Unlike
    there, the low-pass square is at least two frequencies wide, for small images.
    """

    kind: ClassVar[str] = "earth_adapter"
    summary: ClassVar[str] = (
        "Small experts for the coarse and the fine pattern of the features: for scenes whose "
        "textures mislead, such as another sensor or city."
    )
    # The source's own for all its experiments.
    default_lr: ClassVar[float] = 1e-4

    width: int = Field(
        default=24, ge=1, description="Neurons of an expert; the authors use 16 to 64."
    )
    frequencies: Literal["first", "last", "all", "none"] = Field(
        default="last",
        description="Blocks that tell frequencies apart: the first or last quarter, all or none.",
    )
    cutoff: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Share of the spectrum's width that counts as low; the authors use 0.2 to 0.3.",
    )

    @property
    def placement(self) -> str:
        """Where the experts are."""
        return "behind every block"

    def mixed_blocks(self, depth: int) -> range:
        """Return which of `depth` blocks have three experts."""
        quarter = math.ceil(depth / 4)
        return {
            "first": range(quarter),
            "last": range(depth - quarter, depth),
            "all": range(depth),
            "none": range(0),
        }[self.frequencies]

    def misfit(self, backbone: Backbone) -> str | None:
        """Say so where there are no blocks."""
        return no_blocks(backbone)

    def apply(self, backbone: Backbone) -> Adapter:
        """Add the experts to a backbone; they change its output slightly from the start."""
        self.require_fit(backbone)
        return _Adapted(backbone, self, "earth_adapter", _EarthGraft(backbone, self))
