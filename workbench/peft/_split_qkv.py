"""One linear layer for query, key and value, taken apart so that each can be adapted alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.peft import Backbone


class SplitQKV(nn.Module):
    """Three linear layers that answer exactly as the fused one they came from."""

    def __init__(self, fused: nn.Linear) -> None:
        super().__init__()
        weights = fused.weight.chunk(3)
        biases = (None, None, None) if fused.bias is None else fused.bias.chunk(3)
        self.q_linear, self.k_linear, self.v_linear = map(_linear, weights, biases)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return query, key and value beside each other, as the fused layer does."""
        return torch.cat([self.q_linear(tokens), self.k_linear(tokens), self.v_linear(tokens)], -1)

    def fuse(self) -> nn.Linear:
        """Return the one layer again."""
        parts = (self.q_linear, self.k_linear, self.v_linear)
        biases = tuple(part.bias for part in parts if part.bias is not None)
        weight = torch.cat(tuple(part.weight for part in parts))
        return _linear(weight, torch.cat(biases) if biases else None)


def split_qkv(backbone: Backbone) -> None:
    """Take every fused query-key-value layer of a backbone apart, in place.

    Adapters on q, k or v alone name the parts; to open their files in Hugging Face peft
    directly, split the backbone first.
    """
    for path in backbone.linear_roles().get("qkv", []):
        fused = backbone.get_submodule(path)
        if isinstance(fused, nn.Linear):
            _replace(backbone, path, SplitQKV(fused))


def fuse_qkv(backbone: Backbone) -> None:
    """Undo `split_qkv`."""
    for path in backbone.linear_roles().get("qkv", []):
        split = backbone.get_submodule(path)
        if isinstance(split, SplitQKV):
            _replace(backbone, path, split.fuse())


def _replace(backbone: Backbone, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(backbone.get_submodule(parent), name, module)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer
