"""Models of every kind, built once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workbench.assembly import Model, build_model
from workbench.recipe import AnyRecipe, Recipe, SpectralIndex

BANDS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
RECIPES: list[AnyRecipe] = [
    Recipe(),
    Recipe(peft="linear_probe", decoder="linear"),
    Recipe(peft="full", decoder="linear"),
    Recipe(backbone="unet_encoder", peft="full"),
    SpectralIndex(index="mndwi", threshold=0.1),
]


@pytest.fixture
def build() -> Callable[..., Model]:
    """Return `build_model` for the six bands, with random weights."""

    def build(recipe: AnyRecipe, **more: Any) -> Model:
        facts = {"classes": ["land", "water"], "bands": BANDS, "weights": "random",
                 "mean": [0.1] * 6, "std": [0.2] * 6}  # fmt: skip
        return build_model(recipe, **{**facts, **more})

    return build
