"""Partial fine-tuning: the last blocks of a transformer learn."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from torch import nn

from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft._in_place import Part


@register
class LastBlocks(Method):
    """Train the last `n` transformer blocks and the normalisation behind them.

    Source: Yosinski et al. 2014 (arXiv:1411.1792); He et al. 2022 (arXiv:2111.06377), partial
    fine-tuning.
    """

    kind: ClassVar[str] = "last_blocks"
    summary: ClassVar[str] = (
        "The last blocks learn, the first keep what they know: quick and lean, because nothing "
        "flows back through frozen blocks; for data much like the pre-training's."
    )
    # Ours: as full fine-tuning's, whose weights these are.
    default_lr: ClassVar[float] = 1e-4

    n: int = Field(
        default=2, ge=1, description="Number of blocks that learn, from the last; 1 to 4 is usual."
    )

    def __init__(self, n: int | None = None, /, **fields: Any) -> None:
        # The one option reads well without its name: LastBlocks(4).
        super().__init__(**({} if n is None else {"n": n}), **fields)

    def misfit(self, backbone: Backbone) -> str | None:
        """Say that a backbone has no blocks, or too few."""
        blocks = _blocks(backbone)
        if not blocks:
            return "it has no transformer blocks."
        if self.n > len(blocks):
            return f"it has {len(blocks)} blocks, fewer than n={self.n}."
        return None

    def apply(self, backbone: Backbone) -> Adapter:
        """Freeze a backbone up to its last blocks."""
        self.require_fit(backbone)
        blocks = _blocks(backbone)
        trained = {id(weight) for block in blocks[-self.n :] for weight in block.parameters()}
        trained |= {id(weight) for weight in _norm_behind(backbone, blocks)}
        names = [name for name, weight in backbone.named_parameters() if id(weight) in trained]
        return Part(backbone, names)


def _blocks(backbone: Backbone) -> list[nn.Module]:
    return list(getattr(backbone, "blocks", None) or ())


def _norm_behind(backbone: Backbone, blocks: list[nn.Module]) -> list[nn.Parameter]:
    """Return the weights of the `norm` that stands beside the list of blocks."""
    path = next((path for path, module in backbone.named_modules() if module is blocks[-1]), "")
    parent = path.rpartition(".")[0].rpartition(".")[0]
    norm = getattr(backbone.get_submodule(parent), "norm", None)
    return list(norm.parameters()) if isinstance(norm, nn.Module) else []
