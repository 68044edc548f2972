"""Small backbones of every family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from workbench.models import load_backbone
from workbench.models.backbones import Backbone

# A new family is tested by naming a small size of it here.
SMALL: dict[str, dict[str, Any]] = {
    "galileo": {
        "embed_dim": 32, "depth": 4, "num_heads": 2,
        "bands": ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"),
    },
    "clay": {"embed_dim": 32, "depth": 4, "num_heads": 2, "dim_head": 16, "patch_size": 8},
    "prithvi": {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8, "image_size": 32},
    "timm_features": {"model": "test_efficientnet"},
    "timm_vit": {
        "model": "test_vit", "embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8,
        "image_size": 32,
    },
    "unet_encoder": {"widths": (8, 16, 32)},
}


def build_small(family: str) -> Backbone:
    """Build the same small backbone each time."""
    torch.manual_seed(7)
    return load_backbone(family, weights="random", **SMALL[family])


@pytest.fixture
def small() -> Callable[[str], Backbone]:
    """Return a function that builds the same small backbone each time."""
    return build_small
