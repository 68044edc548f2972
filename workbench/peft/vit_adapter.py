"""ViT-Adapter: a convolutional branch beside a plain ViT that makes its features a pyramid."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from workbench.errors import DataError, RecipeError
from workbench.peft import Adapter, Backbone, Method, Site, register
from workbench.peft._graft import Changed, Graft, Grafted, Handle, no_blocks, prefix_changed
from workbench.peft._interaction import Interaction, Shape, SpatialPrior, cell_centres

STRIDES = (4, 8, 16, 32)
STAGES = 4


@dataclass
class _Pass:
    """What one forward pass carries from hook to hook."""

    finest: Tensor  # (B, D, h, w)
    prior: Tensor  # (B, N, D): the three coarser maps one after the other.
    shapes: list[Shape]
    centres: Tensor
    grid: Shape
    grid_centres: Tensor
    blocks: Any
    prefix: Tensor | None = None
    stages: list[Tensor] = field(default_factory=list)


class _Branch(Graft):
    """The prior, its exchange with the ViT around four stages of blocks, and the pyramid."""

    def __init__(self, backbone: Backbone, channels: int, points: int) -> None:
        super().__init__()
        dim, heads = backbone.embed_dim, backbone.num_heads
        self.prefix = backbone.num_prefix_tokens
        self.stages = stages_of(len(backbone.blocks or ()))
        self.level_embed = nn.Parameter(torch.randn(3, dim))
        self.spm = SpatialPrior(len(backbone.bands), channels, dim)
        self.interactions = nn.ModuleList(
            Interaction(dim, heads, points, last=stage == STAGES - 1) for stage in range(STAGES)
        )
        self.up = nn.ConvTranspose2d(dim, dim, 2, 2)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.BatchNorm2d(dim) for _ in STRIDES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                _initialise(module)
        self._pass: _Pass | None = None

    def attach(self, backbone: Any) -> list[Handle]:
        """Put hooks around the backbone, its blocks and its stages; its features change."""
        dim = backbone.embed_dim
        handles: list[Handle] = [
            Changed(
                backbone, num_features=(dim,) * len(STRIDES), strides=STRIDES,
                size_multiple=math.lcm(backbone.size_multiple, STRIDES[-1]),
            ),
            *prefix_changed(backbone, -self.prefix),
            backbone.register_forward_pre_hook(self._begin, with_kwargs=True),
            backbone.register_forward_hook(self._end),
        ]  # fmt: skip
        for stage, blocks in enumerate(self.stages):
            for index in blocks:
                block = backbone.blocks[index]
                handles.append(block.register_forward_pre_hook(self._strip))
                if index == blocks[0]:
                    inject = partial(self._inject, stage)
                    handles.append(block.register_forward_pre_hook(inject))
                if index == blocks[-1]:
                    handles.append(block.register_forward_hook(partial(self._extract, stage)))
                handles.append(block.register_forward_hook(self._restore))
        return handles

    def sites(self) -> tuple[Site, ...]:
        """Return the four stages, each between an injector and an extractor."""
        pieces = ("injector", "extractor")
        return tuple(Site("beside", tuple(s), "convolutions", pieces) for s in self.stages)

    def _begin(
        self, backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        image = args[0] if args else kwargs["image"]
        outer, rows, columns, _ = backbone.token_grid(image)
        if outer != 1:
            raise RecipeError(f"ViTAdapter takes one frame; got an image of {outer}.")
        height, width = image.shape[-2:]
        if height % STRIDES[-1] or width % STRIDES[-1]:
            raise DataError(
                f"The image is {height}×{width} pixels; with the ViT-Adapter {backbone.name} "
                f"takes multiples of {backbone.size_multiple}. The assembled segmenter pads any "
                "size."
            )
        finest, *coarser = self.spm(image[:, :, 0] if image.ndim == 5 else image)
        shapes: list[Shape] = [(entry.shape[2], entry.shape[3]) for entry in coarser]
        levels = [
            entry.flatten(2).transpose(1, 2) + level
            for entry, level in zip(coarser, self.level_embed, strict=True)
        ]
        grid = (rows, columns)
        self._pass = _Pass(
            finest, torch.cat(levels, dim=1), shapes, cell_centres(shapes, image.device),
            grid, cell_centres([grid], image.device), kwargs.get("blocks"),
        )  # fmt: skip
        return args, {**kwargs, "blocks": ()}

    def _strip(self, block: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Keep the class token out of the blocks, as the reference does."""
        tokens, *rest = args
        self._now.prefix = tokens[:, : self.prefix]
        return tokens[:, self.prefix :], *rest

    def _restore(self, block: nn.Module, args: tuple[Any, ...], tokens: Tensor) -> Tensor:
        """Give the backbone the sequence that it expects."""
        prefix = self._now.prefix
        assert prefix is not None
        return torch.cat([prefix, tokens], dim=1)

    def _inject(self, stage: int, block: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        tokens, *rest = args
        now = self._now
        injector = self._interaction(stage).injector
        return injector(tokens, now.grid_centres, now.prior, now.shapes), *rest

    def _extract(self, stage: int, block: nn.Module, args: tuple[Any, ...], tokens: Tensor) -> None:
        now = self._now
        now.prior = self._interaction(stage).extract(now.prior, now.centres, tokens, now.grid)
        now.stages.append(_as_map(tokens, now.grid))

    def _end(self, backbone: Any, args: tuple[Any, ...], features: Any) -> list[Tensor]:
        """Return the pyramid instead of the backbone's own features."""
        now, self._pass = self._now, None
        sizes = [height * width for height, width in now.shapes]
        coarser = [
            _as_map(part, shape)
            for part, shape in zip(now.prior.split(sizes, dim=1), now.shapes, strict=True)
        ]
        maps = [self.up(coarser[0]) + now.finest, *coarser]
        norms = (self.norm1, self.norm2, self.norm3, self.norm4)
        pyramid = [
            norm(own + F.interpolate(tokens, size=own.shape[-2:], mode="bilinear"))
            for norm, own, tokens in zip(norms, maps, now.stages, strict=True)
        ]
        return pyramid if now.blocks is None else [pyramid[index] for index in now.blocks]

    def _interaction(self, stage: int) -> Interaction:
        return cast(Interaction, self.interactions[stage])

    @property
    def _now(self) -> _Pass:
        assert self._pass is not None
        return self._pass


class _Branched(Grafted):
    identity_at_start = False
    # Injected is gamma times what the injector saw, and gamma starts at zero; where and how much
    # a query looks depends on weights that start at zero.
    still_at_start = ("injector.attn", "injector.feat_norm", "query_norm")


@register
class ViTAdapter(Method):
    """Put a convolutional branch beside a frozen ViT; features become a pyramid for decoders.

    Source: Chen et al. 2023, "Vision Transformer Adapter for Dense Predictions"
    (arXiv:2205.08534); sizes and numbers as in TerraTorch 1.2.13: four stages, no class token in
    the blocks, no feed-forward layers in the extractors.
    """

    kind: ClassVar[str] = "vit_adapter"
    summary: ClassVar[str] = (
        "Convolutions that see single pixels beside the ViT: for objects smaller than a patch, "
        "such as small fields. The most memory and time."
    )
    # In the middle of what the PEFT paper's search was given, 2e-5 to 1e-3 (IBM/peft-geofm).
    default_lr: ClassVar[float] = 5e-4

    channels: int = Field(
        default=64,
        ge=1,
        description="Channels of the first convolutions; the reference's 64 suits ViT-B and ViT-L.",
    )
    points: int = Field(
        default=4, ge=1, description="Points that a head looks at in each map; 4 is usual."
    )

    @property
    def placement(self) -> str:
        """Where the branch runs."""
        return "beside the blocks, in four stages"

    def misfit(self, backbone: Backbone) -> str | None:
        """Say what a backbone has in the way of being a plain ViT for one frame."""
        if reason := no_blocks(backbone):
            return reason
        if backbone.num_frames != 1:
            return f"it takes one frame, and this one is built for {backbone.num_frames}."
        side = backbone.patch_size
        grid = backbone.token_grid(torch.empty(1, len(backbone.bands), side, side, device="meta"))
        if math.prod(grid) != 1:
            return "it has more than one token a patch."
        if len(backbone.blocks or ()) < STAGES:
            return f"it has fewer than {STAGES} blocks."
        if (backbone.embed_dim // 2) % backbone.num_heads:
            return (
                f"half of its {backbone.embed_dim} channels cannot be shared out among "
                f"{backbone.num_heads} heads."
            )
        return None

    def apply(self, backbone: Backbone) -> Adapter:
        """Add the branch: the backbone then returns maps of strides 4, 8, 16 and 32."""
        self.require_fit(backbone)
        return _Branched(
            backbone, self, "vit_adapter", _Branch(backbone, self.channels, self.points)
        )


def stages_of(depth: int) -> list[range]:
    """Return the blocks of each quarter of a network."""
    ends = [math.ceil((stage + 1) * depth / STAGES) for stage in range(STAGES)]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _as_map(tokens: Tensor, shape: Shape) -> Tensor:
    """Return ``(B, D, h, w)`` from ``(B, h*w, D)``."""
    return tokens.transpose(1, 2).unflatten(2, shape)


def _initialise(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    fan_out = math.prod(conv.kernel_size) * conv.out_channels
    nn.init.normal_(conv.weight, std=math.sqrt(2 / fan_out))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
