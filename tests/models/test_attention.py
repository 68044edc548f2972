"""Attention never makes its matrix of weights: every backbone asks PyTorch's fused kernels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.models import load_backbone

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


@pytest.mark.parametrize("name", SMALL)
def test_every_block_uses_the_fused_attention(name):
    backbone = load_backbone(name, weights="random", **SMALL[name])
    side = 2 * backbone.size_multiple
    image = torch.rand(1, len(getattr(backbone, "channels", backbone.bands)), side, side)
    with _Calls() as calls:
        backbone(image)
    fused = [call for call in calls.names if call.startswith("_scaled_dot_product")]
    assert len(fused) >= len(backbone.blocks)
    assert "_softmax" not in calls.names
