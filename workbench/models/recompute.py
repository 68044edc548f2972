"""Gradient checkpointing: activations are computed again where backward needs them, not kept.

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost" (arXiv:1604.06174).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from workbench.errors import RecipeError
from workbench.models.backbones import Backbone


def require_sections(backbone: Backbone) -> None:
    """Refuse a backbone of which nothing could be computed again.

    Raises:
        RecipeError: The backbone has no sections.
    """
    if not backbone.sections:
        raise RecipeError(
            f"gradient_checkpointing=True: {backbone.name} has no sections that could be computed "
            "again. Use a smaller batch with accumulate=…, or another backbone."
        )


def recompute_sections(backbone: Backbone) -> None:
    """Let a backbone keep only what passes from section to section; its numbers stay the same."""
    for section in backbone.sections:
        _recompute(section)


def _recompute(section: nn.Module) -> None:
    # In place of `forward`, so that hooks, where methods act on blocks, run once, outside of it.
    if "forward" in vars(section):
        return
    plain = section.forward
    norms = [module for module in section.modules() if isinstance(module, _BatchNorm)]
    options: dict[str, Any] = {"use_reentrant": False}
    if norms:
        options["context_fn"] = lambda: (contextlib.nullcontext(), _statistics_kept(norms))
    again = partial(checkpoint, plain, **options)

    def forward(*args: Any, **kwargs: Any) -> Any:
        return (again if torch.is_grad_enabled() else plain)(*args, **kwargs)

    section.forward = forward


@contextlib.contextmanager
def _statistics_kept(norms: list[_BatchNorm]) -> Iterator[None]:
    """Let batch normalisation see its batch a second time without counting it twice."""
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
