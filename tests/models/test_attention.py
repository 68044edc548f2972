"""Attention: torch's numbers, never a matrix of weights kept, fused where that is quicker."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from timm.layers.attention import Attention as TimmAttention
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.models import attention, load_backbone
from workbench.models.attention import Attention, attend

# Fewer and more pairs of tokens than are computed at a time, and more than torch is asked for.
SIZES = [(5, 2, 3, 4), (3, 12, 197, 8), (1, 2, 1000, 4)]


SMALL = {
    "workbench_tiny": {"depth": 2},
    "clay_v1": {"embed_dim": 48, "depth": 2, "num_heads": 3, "dim_head": 16},
    "galileo_nano": {"depth": 2},
    "timm/vit_tiny_patch16_224": {"depth": 2},
    "timm/eva02_tiny_patch14_224": {},
}


class _Calls(TorchDispatchMode):
    """Notes the operations that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def tokens(size: tuple[int, int, int, int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return query, key and value as a linear layer lays them out."""
    batch, heads, count, dim = size
    generator = torch.Generator().manual_seed(0)
    fused = torch.randn(batch, count, 3, heads, dim, generator=generator, dtype=dtype)
    return [part.requires_grad_() for part in fused.permute(2, 0, 3, 1, 4).unbind(0)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_answer_and_gradients_are_those_of_torch(size, dtype, tolerance):
    parts = tokens(size, dtype)
    ours, torchs = attend(*parts), F.scaled_dot_product_attention(*parts)
    torch.testing.assert_close(ours, torchs, rtol=tolerance, atol=tolerance)
    toward = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    pairs = zip(torch.autograd.grad(ours, parts, toward),
                torch.autograd.grad(torchs, parts, toward), strict=True)
    for got, expected in pairs:
        torch.testing.assert_close(got, expected, rtol=4 * tolerance, atol=4 * tolerance)


def test_one_score_that_dwarfs_the_others_is_no_overflow():
    query, key, value = (200 * part for part in tokens((1, 1, 8, 4)))
    found = attend(query, key, value)
    assert found.isfinite().all()
    torch.testing.assert_close(found, F.scaled_dot_product_attention(query, key, value))


def test_under_autocast_the_answer_is_bfloat16_and_as_exact_as_torchs():
    parts = tokens((2, 3, 50, 16))
    exact = F.scaled_dot_product_attention(*parts)
    with torch.autocast("cpu", torch.bfloat16):
        ours, torchs = attend(*parts), F.scaled_dot_product_attention(*parts)
    assert ours.dtype == torchs.dtype == torch.bfloat16
    assert (ours - exact).abs().mean() < 1.5 * (torchs - exact).abs().mean()


def test_only_the_three_given_are_kept_for_the_way_back():
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        attend(*tokens((2, 3, 50, 4)))
    assert kept == [2 * 3 * 50 * 4] * 3


@pytest.mark.parametrize("name", SMALL)
def test_beyond_a_processors_cache_every_block_uses_the_fused_attention(name, monkeypatch):
    monkeypatch.setattr(attention, "_MOST_PAIRS", 0)
    backbone = load_backbone(name, weights="random", **SMALL[name])
    side = 2 * backbone.size_multiple
    image = torch.rand(1, len(getattr(backbone, "channels", backbone.bands)), side, side)
    with _Calls() as calls:
        backbone(image)
    fused = [call for call in calls.names if call.startswith("_scaled_dot_product")]
    assert len(fused) >= len(backbone.blocks)
    assert "_softmax" not in calls.names


def test_the_layer_answers_like_timms():
    timms = TimmAttention(12, num_heads=3, qkv_bias=True)
    ours = Attention(12, num_heads=3)
    ours.load_state_dict(timms.state_dict())
    image = torch.randn(2, 7, 12)
    torch.testing.assert_close(ours(image), timms(image))
