"""Visual prompt tuning: learned tokens beside those of the image."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from workbench.peft import Adapter, Backbone, Method, Site, register
from workbench.peft._graft import Graft, Grafted, Handle, no_blocks, prefix_changed


class _Prompts(Graft, nn.ParameterList):
    """Prompts of every block (deep), or of the first, which then pass through all (shallow)."""

    def __init__(self, backbone: Backbone, count: int, dropout: float, *, deep: bool) -> None:
        super().__init__()
        dim = backbone.embed_dim
        # Xavier's limits of a patch embedding of three bands, as the reference has it for any.
        limit = math.sqrt(6 / (3 * backbone.patch_size**2 + dim))
        self.depth = len(backbone.blocks or ())
        for _ in range(self.depth if deep else 1):
            self.append(nn.Parameter(torch.empty(1, count, dim).uniform_(-limit, limit)))
        self.count = count
        self.dropout = dropout
        self.deep = deep
        self.prefix = backbone.num_prefix_tokens
        self._passed: Tensor | None = None

    def attach(self, backbone: Any) -> list[Handle]:
        """Insert prompts before every block and take them away behind it."""
        handles: list[Handle] = prefix_changed(backbone, self.count)
        for index, block in enumerate(backbone.blocks):
            handles.append(block.register_forward_pre_hook(partial(self._insert, index)))
            handles.append(block.register_forward_hook(partial(self._drop, index)))
        return handles

    def sites(self) -> tuple[Site, ...]:
        """Return that they stand beside the tokens of every block."""
        of = "of every block" if self.deep else "from the first block on"
        return (Site("tokens", tuple(range(self.depth)), f"{self.count} prompts {of}"),)

    def _insert(self, index: int, block: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        tokens, *rest = args
        if self.deep or index == 0:
            prompts = self[index].to(tokens.dtype).expand(len(tokens), -1, -1)
            prompts = F.dropout(prompts, self.dropout, self.training)
        else:
            assert self._passed is not None
            prompts = self._passed
        first, last = tokens[:, : self.prefix], tokens[:, self.prefix :]
        return torch.cat([first, prompts, last], dim=1), *rest

    def _drop(self, index: int, block: nn.Module, args: tuple[Any, ...], tokens: Tensor) -> Tensor:
        end = self.prefix + self.count
        passes = not self.deep and index < self.depth - 1
        self._passed = tokens[:, self.prefix : end] if passes else None
        return torch.cat([tokens[:, : self.prefix], tokens[:, end:]], dim=1)


@register
class VPT(Method):
    """Add learned tokens to the input of the blocks; the backbone stays frozen.

    Source: Jia et al. 2022, "Visual Prompt Tuning" (arXiv:2203.12119); prompts after the class
    token, and their initialisation, as in TerraTorch 1.2.13. Defaults: IBM/peft-geofm, configs.
    """

    kind: ClassVar[str] = "vpt"
    summary: ClassVar[str] = (
        "Learned tokens that every patch attends to: the smallest adapter, for images with many "
        "more patches than prompts."
    )
    # The PEFT paper's search chose 9.6e-5 to 9.8e-4 (IBM/peft-geofm).
    default_lr: ClassVar[float] = 5e-4

    tokens: int = Field(
        default=100,
        ge=1,
        description="Prompts of a block; they cost as much as patches, so take fewer where an "
        "image has few (112 pixels are 49 patches of 16): 10 to 50 there, 100 from 224 pixels on.",
    )
    dropout: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Share of the prompts' values dropped in training; more where it overfits.",
    )
    deep: bool = Field(
        default=True,
        description="New prompts for every block; False gives the first block some that pass "
        "through all: fewer parameters, and usually a lower score.",
    )

    @property
    def placement(self) -> str:
        """Which blocks get prompts."""
        return "before every block" if self.deep else "before the first block, through all"

    def misfit(self, backbone: Backbone) -> str | None:
        """Say so where there are no blocks."""
        return no_blocks(backbone)

    def apply(self, backbone: Backbone) -> Adapter:
        """Give the blocks of a backbone prompts, which change its output from the start."""
        self.require_fit(backbone)
        prompts = _Prompts(backbone, self.tokens, self.dropout, deep=self.deep)
        return _Prompted(backbone, self, "vpt_prompt_embeddings", prompts)


class _Prompted(Grafted):
    identity_at_start = False
