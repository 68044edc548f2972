"""Attention of plain ViTs, in the way that is quickest on a device."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Pairs of tokens whose scores are computed at a time, so that they stay in a processor's cache, and
# those of an image beyond which torch's own way is the quicker one.
_PAIRS_AT_A_TIME, _MOST_PAIRS = 2**19, 3 * 2**19


class Attention(nn.Module):
    """Self-attention for timm's blocks, with timm's names of tensors.

    Args:
        dim: Channels of a token.
        num_heads: Divides `dim`.
        options: What timm's blocks say besides, none of which differs between published ViTs.
    """

    def __init__(self, dim: int, num_heads: int, **options: object) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, **options: object) -> Tensor:
        """Return ``(B, N, D)`` from ``(B, N, D)``."""
        query, key, value = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
                             for part in self.qkv(tokens).chunk(3, dim=-1))  # fmt: skip
        return self.proj(attend(query, key, value).transpose(1, 2).flatten(2))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return what queries find, ``(B, heads, N, D)`` like the three given.

    torch's fused attention is made for thousands of tokens. A processor takes up to five times as
    long in it as in plain products where there are few (a chip of 224 pixels has 196), because
    its backward pass works on small blocks. Results agree to rounding, memory is the same.
    """
    pairs = query.shape[1] * query.shape[2] ** 2
    if query.device.type != "cpu" or pairs > _MOST_PAIRS or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(query, key, value)
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    return _Plain.apply(query, key, value)


class _Plain(torch.autograd.Function):
    """Products of matrices, a few images at a time; shares are computed again on the way back."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(query, key, value)
        found = _like(query)
        with torch.autocast("cpu", enabled=False):
            for few in _few(query):
                found[few] = _shares(query[few], key[few]).to(value.dtype) @ value[few]
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = ctx.saved_tensors
        into_query, into_key, into_value = _like(query), _like(key), _like(value)
        for few in _few(query):
            shares = _shares(query[few], key[few])
            into_value[few] = shares.to(value.dtype).mT @ gradient[few]
            into_shares = (gradient[few] @ value[few].mT).to(shares.dtype)
            into_scores = torch._softmax_backward_data(into_shares, shares, -1, shares.dtype)
            into_scores = into_scores.mul_(query.shape[-1] ** -0.5).to(query.dtype)
            into_query[few] = into_scores @ key[few]
            into_key[few] = into_scores.mT @ query[few]
        return into_query, into_key, into_value


def _shares(query: Tensor, key: Tensor) -> Tensor:
    """Return what each query takes of each value, ``(B, heads, N, N)`` in float32."""
    # Scores are summed in float32 whatever the tokens are: rounded, they would turn into shares
    # that are several per cent off.
    return (query.float() * query.shape[-1] ** -0.5 @ key.float().mT).softmax(-1)


def _few(query: Tensor) -> list[slice]:
    """Return as many images at a time as stay in the cache."""
    batch, heads, tokens, _ = query.shape
    count = max(1, _PAIRS_AT_A_TIME // (heads * tokens**2))
    return [slice(start, start + count) for start in range(0, batch, count)]


def _like(tensor: Tensor) -> Tensor:
    """Return room for ``(B, heads, N, D)`` that lies in memory as ``(B, N, heads, D)``."""
    return torch.empty_like(tensor.transpose(1, 2), memory_format=torch.contiguous_format
                            ).transpose(1, 2)  # fmt: skip
